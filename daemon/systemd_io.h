// daemon/systemd_io.h: tells systemd how far we are (sd_notify(3)), without its library.
#pragma once

#include <string>

namespace herald::daemon {

// "READY=1", "STOPPING=1". Nothing happens unless systemd asked for it by NOTIFY_SOCKET.
void notify_systemd(const std::string& state);

}  // namespace herald::daemon
