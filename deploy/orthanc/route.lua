-- Send every new radiograph to the cxrnet node. What the node sends back is of other modalities (SEG, SR, PR, and OT for
-- the panel), so that nothing loops.
function OnStoredInstance(instanceId, tags, metadata, origin)
  if tags['Modality'] == 'CR' or tags['Modality'] == 'DX' then
    SendToModality(instanceId, 'cxrnet')
  end
end
