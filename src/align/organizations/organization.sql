organization_id as id, name, features, strict, created_at, updated_at
