#include "launcher/launch/verdict.h"

#include <sys/wait.h>

#include <csignal>
#include <cstring>

#include "launcher/exit_codes.h"
#include "launcher/format.h"

namespace lockstep {

namespace {

bool contains(const std::string& text, const char* words) {
  return text.find(words) != std::string::npos;
}

/// What stands between `before` and the next blank, or "".
std::string word_after(const std::string& text, const std::string& before) {
  const size_t at = text.find(before);
  if (at == std::string::npos) return "";
  const size_t begin = at + before.size();
  return text.substr(begin, text.find_first_of(" \n", begin) - begin);
}

std::string name_of(int signal) {
  return formatted("signal %d (%s)", signal, strsignal(signal)) +
         (signal == SIGKILL ? "; on a machine short of memory the kernel does that" : "");
}

std::string why_hosts_are_not_reached(const std::vector<Host>& hosts,
                                      const std::function<bool(const std::string&)>& is_known) {
  std::string unknown;
  for (const Host& host : hosts)
    if (!is_known(host.name)) unknown += (unknown.empty() ? "" : ", ") + host.name;
  if (!unknown.empty()) return "unknown host: " + unknown + "; it has no address here. Look at --hosts and /etc/hosts";
  return "a host of " + host_argument(hosts) +
         " could not be reached, or has no Open MPI: `ssh HOST orted --version` must work without a password";
}

/// Why no rank was started, by mpirun's messages; "" if it says nothing of that kind.
std::string why_not_started(const std::string& said, const std::vector<Host>& hosts,
                            const std::function<bool(const std::string&)>& is_known) {
  if (contains(said, "unable to reliably start one or more daemons") && !hosts.empty())
    return why_hosts_are_not_reached(hosts, is_known);
  if (contains(said, "or execute an executable") || contains(said, "find the specified executable file"))
    return "host " + word_after(said, "Node: ") + " has no program at " + word_after(said, "Executable: ") +
           "; every host needs it at the same path";
  return "";
}

/// "host b (ranks 4 to 7)", by the name of the daemon that mpirun lost; mpirun fills one host after the other.
std::string lost_host(const std::string& said, const std::vector<Host>& hosts) {
  const size_t daemon = said.find("Remote daemon:");
  const std::string name = daemon == std::string::npos ? "" : word_after(said.substr(daemon), " on node ");
  if (name.empty()) return "a host";
  int first = 0;
  for (const Host& host : hosts) {
    const int last = first + host.slots - 1;
    if (host.name == name)
      return "host " + name +
             (first == last ? formatted(" (rank %d)", first) : formatted(" (ranks %d to %d)", first, last));
    first = last + 1;
  }
  return "host " + name;
}

std::string how_a_rank_ended(const std::string& epitaph, int exit_code) {
  const std::string rank = word_after(epitaph, "noticed that process rank ");
  const std::string who = rank.empty() ? "a rank" : "rank " + rank + " on host " + word_after(epitaph, "on node ");
  if (exit_code > 128 && exit_code < 128 + SIGRTMIN) return who + " was ended by " + name_of(exit_code - 128);
  return formatted("%s left with exit code %d and without a word of its own", who.c_str(), exit_code);
}

std::string error_line(const std::string& message) {
  return "error: " + message + "\n";
}

JobVerdict verdict_on_failure(const JobEnd& end, int exit_code, const std::vector<Host>& hosts,
                              const std::function<bool(const std::string&)>& is_known) {
  const JobOutput& output = end.output;
  if (!output.first_error().empty()) return {exit_code, output.error_is_last() ? "" : output.first_error()};
  if (const std::string why = why_not_started(output.printed() + output.epitaph(), hosts, is_known); !why.empty())
    return {kNotStarted, error_line(why)};
  if (contains(output.printed(), "lost communication with a remote daemon"))
    return {kPeerLost, error_line("contact with " + lost_host(output.printed(), hosts) +
                                  " was lost: it is down or cut off, or Open MPI's daemon was killed there")};
  return {exit_code, error_line(how_a_rank_ended(output.epitaph(), exit_code))};
}

}  // namespace

JobVerdict verdict_on_job(const JobEnd& end, const std::vector<Host>& hosts,
                          const std::function<bool(const std::string&)>& is_known) {
  if (end.status == 0) return {};
  if (end.stopped_at_once != 0)
    return {128 + end.stopped_at_once,
            formatted("stopped at once by signal %d (%s); the last model that was saved, if any, is in "
                      "--output_dir\n",
                      end.stopped_at_once, strsignal(end.stopped_at_once))};
  if (const auto code = end.output.abort_code(); code && (end.given_up || !WIFSIGNALED(end.status)))
    return verdict_on_failure(end, *code, hosts, is_known);
  if (WIFSIGNALED(end.status))
    return {128 + WTERMSIG(end.status),
            error_line("mpirun was ended by " + name_of(WTERMSIG(end.status)) + "; its ranks end with it")};
  const int exit_code = WEXITSTATUS(end.status);
  if (exit_code == kStopped) return {exit_code, ""};
  return verdict_on_failure(end, exit_code, hosts, is_known);
}

}  // namespace lockstep
