-- Before every script: counts the answers of each thread by status, adds them up and prints the result.
-- A script calls begin_counting in its init, and may replace `response`.

local threads = {}

function setup(thread)
   thread:set("number", #threads + 1)
   table.insert(threads, thread)
end

function begin_counting()
   created, existing, other, first_other = 0, 0, 0, 0
end

function count_other(status)
   if other == 0 then first_other = status end
   other = other + 1
end

function response(status)
   if status == 201 then
      created = created + 1
   elseif status == 200 then
      existing = existing + 1
   else
      count_other(status)
   end
end

function done(summary, latency)
   local counts = { created = 0, existing = 0, other = 0, first_other = 0 }
   for _, thread in ipairs(threads) do
      for name, count in pairs(counts) do
         local found = thread:get(name)
         counts[name] = name == "first_other" and math.max(count, found) or count + found
      end
   end
   local lost = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
   io.write(string.format(
      '\nRESULT {"requests":%d,"microseconds":%d,"created":%d,"existing":%d,"other":%d,"first_other":%d,"lost":%d,'
      .. '"p50":%d,"p99":%d,"mean":%.1f}\n',
      summary.requests, summary.duration, counts.created, counts.existing, counts.other, counts.first_other, lost,
      latency:percentile(50), latency:percentile(99), latency.mean))
end
