-- The whole answer to a sync, given the entry's JSON.
json || ',"integrationLinkId":"' || link_id || '","created":'
    || case when outcome = 'created' then 'true}' else 'false}' end
