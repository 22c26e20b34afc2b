id, organization_id, name, status, created_at, updated_at
