#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace lockstep {

/// `--help` was asked for: not an error, but nothing else is to be done.
struct HelpRequested {
  std::string text;
};

/// An app in this program's manners: options in the order of their groups, defaults shown, "-h". `name` as the user
/// types it; `rest`: what stands behind the options.
std::unique_ptr<CLI::App> make_app(const std::string& name, const std::string& description, const std::string& footer,
                                   const std::string& rest = "");

/// Gives `app` the option --config FILE ("key = value" lines, the command line wins), bound to `path`.
void accept_config_file(CLI::App& app, std::string& path);

/// Whether `option` is among a command line's `arguments`, under whichever of its names.
bool stands_in(const std::vector<std::string>& arguments, const CLI::Option& option);

/// Parses `arguments` (without the program's and the command's name) into the variables bound to `app`. Long options
/// may be spelled with '-' or '_', and flags be followed by the word true or false. Keys of a --config file count as if
/// they stood before the command line. Throws HelpRequested, or UsageError that lists every unknown option and key at
/// once, each with what stands here for it or with the nearest known one.
void parse_command_line(CLI::App& app, std::vector<std::string> arguments);

}  // namespace lockstep
