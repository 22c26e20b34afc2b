id, organization_id, provider, external_type, external_id, align_entity_type, align_entity_id, created_at
