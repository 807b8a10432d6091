#!/usr/bin/env bash
# Installs the Debian packages that building and testing need and that are not there yet, saying what and why.
# Usage: debian-packages.sh build|test   ("test" includes "build")
set -euo pipefail

declare -A why=(
    [build-essential]="C compiler and linker for SQLite and ring"
    [pkg-config]="finds the FFmpeg libraries"
    [clang]="headers for the FFmpeg bindings of the camera simulator"
    [libclang-dev]="generates the FFmpeg bindings of the camera simulator"
    [libavcodec-dev]="encoder and decoder of the camera simulator"
    [libavformat-dev]="container reading of the camera simulator"
    [libavutil-dev]="FFmpeg's base library"
    [libavfilter-dev]="linked by the FFmpeg bindings"
    [libavdevice-dev]="linked by the FFmpeg bindings"
    [libswscale-dev]="picture conversion in tests"
    [libswresample-dev]="linked by the FFmpeg bindings"
    [ffmpeg]="ffprobe checks recorded files, ffmpeg is the benchmark's peer"
    [chromium]="browser tests"
    [fonts-noto-core]="Arabic text in browser tests"
    [openssl]="the peer of the upload benchmark"
    [curl]="signs in for the property tests of the API"
    [python3-venv]="the property tests of the API run schemathesis"
    [coturn]="live pictures are relayed by a real TURN server in tests"
    [redis-server]="shared rate limits are tested against a real server"
)
build=(build-essential pkg-config clang libclang-dev libavcodec-dev libavformat-dev libavutil-dev
    libavfilter-dev libavdevice-dev libswscale-dev libswresample-dev)
test=("${build[@]}" ffmpeg chromium fonts-noto-core openssl redis-server coturn curl python3-venv)

case "${1:-}" in
    build) wanted=("${build[@]}") ;;
    test) wanted=("${test[@]}") ;;
    *) echo "usage: $0 build|test" >&2; exit 2 ;;
esac

missing=()
for package in "${wanted[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

echo "Installing Debian packages that are missing:"
for package in "${missing[@]}"; do echo "  $package: ${why[$package]}"; done

if ! command -v apt-get >/dev/null; then
    echo "This is not a Debian system. Install the equivalents of the packages above and try again." >&2
    exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "Neither root nor sudo: run 'apt-get install ${missing[*]}' as root and try again." >&2; exit 1; }
    as_root=(sudo)
fi
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
