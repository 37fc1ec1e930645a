#!/bin/bash
# The house rules that a compiler does not see: includes go only down, siblings do not know one
# another, and the core has no way to touch the world. Then tries itself on a copy with one fault
# planted at a time: each must be found.
#
#   floors: base < net < model < {config ipam} < {coord l2 bgp kube} < {daemon cli}
#   the shell (*_io, daemon/shell*, main.cc): as its folder, and it may touch the world;
#   daemon/ and cli/ programs wire everything, so they may include everything
set -euo pipefail
cd "$(dirname "$0")/../.."
folders="base net model config ipam coord l2 bgp kube daemon cli"

# Prints one line for each fault in the tree at $1.
faults() {
  (
    cd "$1"
    # shellcheck disable=SC2086
    find $folders -name '*.h' -o -name '*.cc' | LC_ALL=C sort | xargs awk '
      function folder_of(path) { return substr(path, 1, index(path, "/") - 1) }
      function is_io(path) { return path ~ /_io\.(h|cc)$/ }
      function is_shell(path) { return path ~ /_io\.(h|cc)$|\/shell[a-z_]*\.(h|cc)$|\/main\.cc$/ }
      function fault(why) { printf "%s:%d: %s\n", FILENAME, FNR, why }
      BEGIN {
        split("base 0 net 1 model 2 config 3 ipam 3 coord 4 l2 4 bgp 4 kube 4 daemon 5 cli 5", f, " ")
        for (i = 1; i in f; i += 2) floor[f[i]] = f[i + 1]
      }
      FNR == 1 { own = folder_of(FILENAME); shell = is_shell(FILENAME); header = FILENAME ~ /\.h$/ }

      /^[ \t]*#[ \t]*include[ \t]*"/ {
        split($0, part, "\"")
        other = folder_of(part[2])
        if (!(other in floor)) { fault("includes \"" part[2] "\", which is not a path from the root"); next }
        if (!shell && is_shell(part[2])) fault("the core includes the shell: " part[2])
        if (shell && (own == "daemon" || own == "cli")) next
        if (floor[other] > floor[own]) fault(own " includes upwards: " part[2])
        if (other != own && floor[other] == floor[own]) fault(own " includes its sibling: " part[2])
        next
      }
      /^[ \t]*#[ \t]*include[ \t]*</ {
        name = $0; sub(/^[^<]*</, "", name); sub(/>.*/, "", name)
        if (!shell && name ~ /^(boost\/asio|boost\/beast|spdlog|sqlite3|libmnl|sys\/|netinet\/|net\/|unistd|fcntl|poll\.h|sched\.h|pthread|time\.h|ctime|random|thread|mutex|atomic|condition_variable|future|fstream|iostream|filesystem|dirent)/)
          fault("the core includes <" name ">")
        if (header && name ~ /^(boost\/(json\.hpp|beast)|spdlog|yaml\.h|sqlite3|libmnl|re2|CLI)/)
          fault("a header includes the heavy <" name ">: only .cc files may")
        next
      }
      shell { next }
      {
        line = $0; sub(/\/\/.*/, "", line)
        if (line ~ /(^|[^a-z_])(now|boot_now)\(\)/) fault("the core reads a clock")
        if (line ~ /clock_gettime|gettimeofday/) fault("the core reads a clock")
        if (line ~ /random_device|getrandom|(^|[^a-z_])s?rand\(/) fault("the core makes its own randomness")
        if (line ~ /getenv|(^|[^a-z_])environ([^a-z_]|$)/) fault("the core reads the environment")
        if (line ~ /std::(cout|cerr|this_thread)|(^|[^a-z_])printf\(/) fault("the core does I/O")
      }'
  )
}

found=$(faults .)
if [ -n "$found" ]; then
  printf '%s\n' "$found" "FAILED: the rules are at the top of $0" >&2
  exit 1
fi

# ---- each planted fault must be found -----------------------------------------------------------
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
missed=0
plant() {  # FILE LINE-OF-CODE EXPECTED-WORDS
  rm -rf "${copy:?}"/*
  # shellcheck disable=SC2086
  cp -r $folders "$copy"
  printf '%s\n' "$2" >>"$copy/$1"
  if ! faults "$copy" | grep -q "^$1:.*$3"; then
    echo "FAILED: not found in $1: $2" >&2
    missed=$((missed + 1))
  fi
}
plant base/text.cc '#include "net/ip.h"' 'upwards'
plant net/ip.h '#include "model/labels.h"' 'upwards'
plant ipam/allocator.cc '#include "coord/table.h"' 'upwards'
plant ipam/allocator.cc '#include "config/manifests.h"' 'sibling'
plant coord/table.cc '#include "l2/grants.h"' 'sibling'
plant l2/packet_io.cc '#include "bgp/route.h"' 'sibling'
plant l2/packet_io.cc '#include "daemon/node.h"' 'upwards'
plant daemon/node.cc '#include "l2/packet_io.h"' 'shell'
plant daemon/node.cc '#include "daemon/shell.h"' 'shell'
plant coord/table.cc '#include "table.h"' 'not a path'
plant bgp/session.cc '#include <boost/asio/io_context.hpp>' 'core includes'
plant coord/table.cc '#include <sys/socket.h>' 'core includes'
plant coord/store_io.h '#include <sqlite3.h>' 'heavy'
plant coord/table.cc 'auto t = std::chrono::steady_clock::now();' 'clock'
plant daemon/decide.cc 'std::random_device seed;' 'randomness'
[ "$missed" -eq 0 ]
