id, organization_id, project_id, title, status, created_at, updated_at
