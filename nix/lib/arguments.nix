# Everything that mkImage takes.
[
  "name"
  "tag"
  "system"
  "copyToRoot"
  "rootFiles"
  "config"
  "files"
  "users"
  "groups"
  "includeNixDB"
  "fromImage"
  "maxLayers"
  "compression"
  "annotations"
  "tests"
]
