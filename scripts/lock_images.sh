#!/bin/sh
# Fills deploy/images.lock with the digests of its tags. Needs docker with buildx and a registry.
# Reads the comment above each variable (`# image:tag`), asks the registry, writes in one step.
set -eu
cd "$(dirname "$0")/.."
lock=deploy/images.lock
new="$lock.new"
trap 'rm -f "$new"' EXIT
image=
while IFS= read -r line; do
    case $line in
        '# '*:*' '*) ;;                       # prose with a colon
        '# '*:*) image=${line#'# '} ;;
        *_DIGEST=*)
            digest=$(docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$image")
            case $digest in
                sha256:????????????????????????????????????????????????????????????????) ;;
                *) echo "$image: unexpected answer: $digest" >&2; exit 1 ;;
            esac
            line="${line%%=*}=@$digest"
            echo "$image $digest" >&2 ;;
    esac
    printf '%s\n' "$line"
done <"$lock" >"$new"
mv "$new" "$lock"
trap - EXIT
