// base/memory_io.h: how much of the memory that was needed once the process keeps (glibc).
//
// A large list or a burst needs a multiple of what stays of it. glibc keeps such memory, in an
// arena for each thread; a daemon that has room for little gives it back.
#pragma once

namespace herald {

// Two arenas at most, and large blocks come straight from the kernel. Before the first thread.
void limit_memory_kept();

// Gives back what is free. Takes some milliseconds, in which nobody else can allocate: when it is
// calm.
void give_memory_back();

}  // namespace herald
