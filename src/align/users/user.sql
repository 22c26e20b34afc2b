id, organization_id, email, name, role, deactivated_at is null as active, deactivated_at, metadata, created_at, updated_at
