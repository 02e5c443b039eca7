#!/usr/bin/env bash
# A Vulkan driver that computes on the CPU, so that device webgpu can be tried on a machine without a GPU: SwiftShader,
# which Debian's package chromium-common holds together with Vulkan's loader. Nothing is installed: the package is fetched
# with apt-get, which checks its signature, and three files of it are unpacked into a folder.
#
#   eval "$(scripts/software-vulkan.sh)"          # then, in the same shell: wave doctor
#   scripts/software-vulkan.sh DIR                # into DIR instead of ~/.cache/wave/software-vulkan
#
# Prints the lines that set the environment. Exit code 3: this machine cannot get the package; stderr says why.
set -euo pipefail

FILES=(libvulkan.so.1 libvk_swiftshader.so vk_swiftshader_icd.json)

unavailable() {
  echo "software-vulkan: $1" >&2
  exit 3
}

dir=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/wave/software-vulkan}

if [ ! -e "$dir/${FILES[2]}" ]; then
  [ "$(uname -sm)" = 'Linux x86_64' ] || unavailable "onnxruntime-node has webgpu on Linux for x64 alone"
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || unavailable "needs Debian's apt-get and dpkg-deb"
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  work=$(mktemp -d "$dir/.fetch-XXXXXX")
  trap 'rm -rf "$work"' EXIT
  download() { (cd "$work" && apt-get -qq download chromium-common) >"$work/log" 2>&1; }
  # A machine that is new has no package lists yet; only root may fetch them.
  download || { [ "$(id -u)" = 0 ] && apt-get -qq update >/dev/null 2>&1 && download; } ||
    unavailable "apt-get cannot fetch chromium-common: $(grep '^E:' "$work/log" | head -n 1)"
  dpkg-deb --fsys-tarfile "$work"/*.deb | tar -x -C "$work" "${FILES[@]/#/./usr/lib/chromium/}" 2>/dev/null ||
    unavailable "chromium-common does not hold ${FILES[*]}"
  # The last one says that the others are there.
  for file in "${FILES[@]}"; do mv "$work/usr/lib/chromium/$file" "$dir/"; done
fi

dir=$(cd "$dir" && pwd)
printf 'export LD_LIBRARY_PATH=%q\n' "$dir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
printf 'export VK_DRIVER_FILES=%q\n' "$dir/${FILES[2]}"
