id, organization_id, project_id, title, created_at, updated_at
