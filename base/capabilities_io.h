// base/capabilities_io.h: uses the capabilities that this process may use (capabilities(7)).
#pragma once

namespace herald {

// Makes the permitted ones effective, for the calling thread and those that it starts. A binary
// whose file permits them, without asking for them, also starts where the surroundings take some
// away; what needs one that is missing says so itself.
void use_permitted_capabilities();

}  // namespace herald
