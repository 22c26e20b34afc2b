($2::uuid is null or created_by_user_id = $2)
    and ($3::uuid is null or scoped_project_id = $3)
    and ($4::text is null or scope = $4)
    and ($5::uuid is null or scoped_project_id = $5)
    and ($6::boolean is null or $6 = (
        revoked_at is null and (expires_at is null or expires_at > now()) and exists (
            select from users u
            where u.organization_id = $1 and u.id = created_by_user_id and u.deactivated_at is null)))
