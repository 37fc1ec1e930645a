-- The health of Herald's kinds for Argo CD: what their condition Ready says of what was applied.
local health = { status = "Progressing", message = "not read yet" }
if obj.status == nil or obj.status.conditions == nil then
  return health
end
for _, condition in ipairs(obj.status.conditions) do
  if condition.type == "Ready" then
    local read = condition.observedGeneration or obj.status.observedGeneration
    if read ~= nil and obj.metadata.generation ~= nil and read < obj.metadata.generation then
      return health
    end
    health.message = condition.message
    if condition.status == "True" then
      health.status = "Healthy"
    elseif condition.reason == "Disabled" or condition.reason == "NotInForce" then
      health.status = "Suspended"
    elseif condition.status == "False" then
      health.status = "Degraded"
    end
    return health
  end
end
return health
