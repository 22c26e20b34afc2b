id, organization_id, email, name, role, deactivated_at, created_at, updated_at
