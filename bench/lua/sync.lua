-- One sync per request. Arguments after the URL's `--`:
--   key, what (fresh | known), ids (random | numbered), token (differs from run to run), people (and projects), known
--   pairs
-- Requests are put together by hand and are all of one length: wrk.format costs more than the rest of the script.

function init(arguments)
   begin_counting()
   local key, ids = arguments[1], arguments[3]
   fresh, token = arguments[2] == "fresh", arguments[4]
   people, known = tonumber(arguments[5]), tonumber(arguments[6])
   numbered = ids == "numbered"
   counter = 0
   math.randomseed(tonumber(token, 16) * 64 + number)
   local middle = { '{"projectId":"be0c0000-0000-8000-8002-', '","userId":"be0c0000-0000-8000-8001-',
      '","workDate":"2025-01-15","minutes":150,"billable":true,"description":"Sprint planning session.",'
      .. '"externalSystem":"illumera","externalId":"illumera-te-', '"}' }
   local length = 12 + 12 + 36
   for _, part in ipairs(middle) do length = length + #part end
   head = "POST /api/v1/integration/time-entries HTTP/1.1\r\nHost: " .. wrk.host .. "\r\nAuthorization: Bearer " .. key
      .. "\r\nContent-Type: application/json\r\nContent-Length: " .. length .. "\r\n\r\n" .. middle[1]
   first, second, last = middle[2], middle[3], middle[4]
end

function request()
   local project, person, id
   local format, random = string.format, math.random
   if fresh then
      project, person = random(1, people), random(1, people)
      counter = counter + 1
      if numbered then
         id = format("%s-%04d-%022d", token, number, counter)
      else
         id = format("%08x-%04x-%04x-%04x-%04x%08x", random(0, 4294967295), random(0, 65535), random(0, 65535),
            random(0, 65535), random(0, 65535), random(0, 4294967295))
      end
   else
      local pick = random(0, known - 1)
      project = pick % people + 1
      person = project
      id = format("known-%030d", pick)
   end
   return head .. format("%012d", project) .. first .. format("%012d", person) .. second .. id .. last
end
