# The systems that images and disks are for.
[
  "x86_64-linux"
  "aarch64-linux"
]
