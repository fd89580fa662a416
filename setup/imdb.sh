# Where ./quickstart's reviews come from. Sourced after lib.sh.

imdb_url=https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz

# find_imdb [PATH]: prints the first that exists of PATH, LOCKSTEP_IMDB, the cache, and the usual places near the source tree.
# A path that the user gave must exist.
find_imdb() {
  local given=${1:-${LOCKSTEP_IMDB:-}} folder name
  if [ -n "$given" ]; then
    [ -e "$given" ] || die "no IMDB at $given: give aclImdb_v1.tar.gz, or the aclImdb folder (--imdb or LOCKSTEP_IMDB)"
    realpath "$given"
    return
  fi
  for folder in "$cache/datasets" "$root/datasets" "$root/../datasets" "$root/../shared/data"; do
    for name in aclImdb_v1.tar.gz aclImdb; do
      [ ! -e "$folder/$name" ] || { realpath "$folder/$name"; return; }
    done
  done
  return 1
}

# download_imdb: the official archive into the cache, published whole; prints its path.
download_imdb() {
  local target=$cache/datasets/aclImdb_v1.tar.gz
  mkdir -p "$cache/datasets"
  say "downloading IMDB (84 MB) from $imdb_url"
  curl --fail --silent --show-error --location --connect-timeout 5 --speed-limit 10000 --speed-time 20 --max-time 1800 \
    --max-filesize 200000000 --output "$target.part" "$imdb_url" && gzip --test "$target.part" &&
    mv "$target.part" "$target" && echo "$target" && return
  rm -f "$target.part"
  return 1
}

# dataset_key SOURCE MODEL OPTION...: names a prepared data set by all that it is made from, the program's version included.
dataset_key() {
  local source=$1 model=$2 file
  shift 2
  {
    stat --dereference --format='%n %s %Y' "$source"
    for file in vocab.txt tokenizer.json tokenizer_config.json; do
      [ ! -e "$model/$file" ] || sha256sum <"$model/$file"
    done
    sed -n 's/^project(lockstep VERSION \([0-9.]*\).*/\1/p' "$root/CMakeLists.txt"
    cat "$root"/data/*.cc "$root"/data/*.h | sha256sum
    printf '%s\n' "$@"
  } | sha256sum | cut -c1-16
}
