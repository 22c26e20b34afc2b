-- One record per request to TimeTagger. Arguments: authtoken, token (differs from run to run).
-- A record that it refuses is answered with 200 too, with the key among those that failed: bodies are looked at.

function init(arguments)
   begin_counting()
   token, counter = arguments[2], 0
   head = "PUT /timetagger/api/v2/records HTTP/1.1\r\nHost: " .. wrk.host .. "\r\nauthtoken: " .. arguments[1]
      .. "\r\nContent-Type: application/json\r\nContent-Length: "
   now = os.time()
end

function request()
   counter = counter + 1
   local body = string.format('[{"key":"%s-%d-%010d","mt":%d,"t1":%d,"t2":%d,"ds":"Sprint planning session."}]',
      token, number, counter, now, now - 9000, now)
   return head .. #body .. "\r\n\r\n" .. body
end

function response(status, _, body)
   if status == 200 and body:find('"failed":%s*%[%]') and body:find('"accepted":%s*%["') then
      created = created + 1
   else
      count_other(status)
   end
end
