#include "launcher/cli/command_line.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "data/spelling.h"
#include "launcher/cli/config_file.h"
#include "launcher/cli/foreign_options.h"
#include "launcher/cli/option_values.h"
#include "launcher/errors.h"

namespace lockstep {

namespace {

bool is_long_option(const std::string& argument) {
  return argument.size() > 2 && argument.starts_with("--");
}

std::string name_of(const std::string& argument) {
  return argument.substr(0, argument.find('='));
}

/// "--learning-rate=1e-5" -> "--learning_rate=1e-5"; values are left alone.
std::string with_underscores(std::string argument) {
  if (!is_long_option(argument)) return argument;
  std::replace(argument.begin() + 2, argument.begin() + static_cast<std::ptrdiff_t>(name_of(argument).size()), '-',
               '_');
  return argument;
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames())
      names.push_back(name);
  return names;
}

std::string complaint(const std::string& what, const std::string& shown, const std::string& name, const CLI::App& app) {
  const std::string complaint = "\n  " + what + " " + shown;
  const std::string command = app.get_name().substr(app.get_name().find(' ') + 1);
  if (const std::string words = counterpart_of(command, name); !words.empty()) return complaint + ": " + words;
  const std::string nearest = data::nearest(name, option_names(app));
  return complaint + (nearest.empty() ? "" : "; did you mean --" + nearest + "?");
}

std::string unknown_options(const std::vector<std::string>& arguments, const CLI::App& app) {
  std::string complaints;
  for (const std::string& argument : arguments) {
    if (argument == "--") break;
    if (!is_long_option(argument)) continue;
    const std::string name = name_of(argument);
    if (app.get_option_no_throw(name) == nullptr) complaints += complaint("unknown option", name, name.substr(2), app);
  }
  return complaints;
}

/// The value of --config in `arguments`, or "".
std::string config_path(const std::vector<std::string>& arguments) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--config" && i + 1 < arguments.size()) return arguments[i + 1];
    if (arguments[i].starts_with("--config=")) return arguments[i].substr(9);
  }
  return "";
}

/// TEXT, INT, FLOAT, FILE.
std::string kind_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  return type.substr(0, type.find(':'));
}

/// "" is how a config file says of an option without a default that it is not given.
bool means_not_given(const ConfigSetting& setting, const CLI::Option& option) {
  const std::string otherwise = option.get_default_str();
  const bool is_flag = option.get_expected_max() == 0;
  return setting.value.empty() && (otherwise.empty() || otherwise == "\"\"") && !option.get_required() && !is_flag;
}

struct ConfigArguments {
  std::vector<std::string> arguments;  // "--key=value"
  std::string complaints;
};

/// What of a config file the command line does not say itself.
ConfigArguments read_config(const std::string& path, const std::vector<std::string>& command_line,
                            const CLI::App& app) {
  std::ifstream file(path);
  if (!file || file.peek() == std::ifstream::traits_type::eof())
    throw UsageError("--config " + path + ": the file cannot be read or is empty");
  std::set<std::string> given;
  for (const std::string& argument : command_line)
    given.insert(name_of(argument));
  ConfigArguments result;
  for (const ConfigSetting& setting : parse_config_file(file, path)) {
    const std::string option = "--" + setting.key;
    if (app.get_option_no_throw(option) == nullptr || option == "--config") {
      result.complaints += complaint("unknown key", setting.key + " in " + path, option.substr(2), app);
    } else if (!given.contains(option) && !means_not_given(setting, *app.get_option_no_throw(option))) {
      result.arguments.push_back(option + "=" + setting.value);
    }
  }
  return result;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

/// "--bf16=Yes" -> "--bf16=true"
std::string flag(const std::string& name, const std::string& value) {
  const std::string word = lower(value);
  for (const char* yes : {"true", "1", "yes", "on"})
    if (word == yes) return name + "=true";
  for (const char* no : {"false", "0", "no", "off"})
    if (word == no) return name + "=false";
  throw UsageError(name + ": " + refusal(value, "true or false"));
}

/// Puts an option into the one form of its kind: "--bf16=true", or "--seed" and its value, which follows.
class OptionForms {
 public:
  OptionForms(std::vector<std::string> arguments, const CLI::App& app) : arguments_(std::move(arguments)), app_(app) {}

  std::vector<std::string> settled() {
    while (next_ < arguments_.size())
      settle(arguments_[next_++]);
    return std::move(settled_);
  }

 private:
  void settle(const std::string& argument) {
    const CLI::Option* option = is_long_option(argument) ? app_.get_option_no_throw(name_of(argument)) : nullptr;
    if (option == nullptr) {
      settled_.push_back(argument);
    } else if (option->get_expected_max() == 0) {
      settle_flag(argument, name_of(argument));
    } else {
      settle_value(argument, name_of(argument));
    }
  }

  /// Trainer takes "--bf16 True".
  void settle_flag(const std::string& argument, const std::string& name) {
    const std::string next = next_ < arguments_.size() ? lower(arguments_[next_]) : "";
    if (argument != name) {
      settled_.push_back(flag(name, argument.substr(name.size() + 1)));
    } else if (next == "true" || next == "false") {
      settled_.push_back(flag(name, next));
      ++next_;
    } else {
      settled_.push_back(name);
    }
  }

  /// Of "--seed=", the library would take the next word for the value.
  void settle_value(const std::string& argument, const std::string& name) {
    if (argument == name + "=") {
      settled_.insert(settled_.end(), {name, ""});
    } else {
      settled_.push_back(argument);
      if (argument == name && next_ < arguments_.size()) settled_.push_back(arguments_[next_++]);
    }
  }

  std::vector<std::string> arguments_;
  const CLI::App& app_;
  size_t next_ = 0;
  std::vector<std::string> settled_;
};

/// What follows "--" is no option.
void settle_forms(std::vector<std::string>& arguments, const CLI::App& app) {
  const auto texts = std::find(arguments.begin(), arguments.end(), "--");
  std::vector<std::string> settled = OptionForms({arguments.begin(), texts}, app).settled();
  settled.insert(settled.end(), texts, arguments.end());
  arguments = std::move(settled);
}

std::string missing_options(const CLI::App& app) {
  std::string missing = app.get_name() + " needs:";
  for (const CLI::Option* option : app.get_options())
    if (option->get_required() && option->count() == 0)
      missing += "\n  " + option->get_name(false, false) + "  " + option->get_description();
  return missing;
}

/// Of the last parse.
std::string stray_words(const CLI::App& app) {
  std::string words;
  for (const std::string& word : app.remaining())
    words += "\n  stray word " + data::excerpt(word);
  return words;
}

/// Option, kind and default on one line, what it does on the next ones: nothing passes 80 columns.
class HelpFormatter : public CLI::Formatter {
 public:
  explicit HelpFormatter(std::string rest) : rest_(std::move(rest)) {}

  std::string make_usage(const CLI::App* app, std::string name) const override {
    std::string usage = CLI::Formatter::make_usage(app, std::move(name));
    return rest_.empty() ? usage : usage.insert(usage.find_last_not_of('\n') + 1, " " + rest_);
  }

  std::string make_option(const CLI::Option* option, bool is_positional) const override {
    std::string head = "  " + (is_positional ? option->get_name(true) : option->get_name(false, true));
    if (option->get_expected_max() > 0 && !option->get_type_name().empty()) head += " " + kind_of(*option);
    if (option->get_expected_max() > 1) head += " ...";
    if (!option->get_default_str().empty()) head += " [" + option->get_default_str() + "]";
    if (option->get_required()) head += " (required)";
    return head + "\n" + wrapped(option->get_description());
  }

 private:
  static std::string wrapped(const std::string& description) {
    constexpr size_t kWidth = 80, kIndent = 8;
    std::istringstream words(description);
    std::string text, line(kIndent, ' ');
    for (std::string word; words >> word;) {
      if (line.size() > kIndent && line.size() + 1 + word.size() > kWidth) {
        text += line + "\n";
        line.assign(kIndent, ' ');
      }
      line += (line.size() > kIndent ? " " : "") + word;
    }
    return text + line + "\n";
  }

  std::string rest_;
};

}  // namespace

std::unique_ptr<CLI::App> make_app(const std::string& name, const std::string& description, const std::string& footer,
                                   const std::string& rest) {
  auto app = std::make_unique<CLI::App>(description, name);
  // As in argparse, the last of several --option is meant: a script's settings can be overridden at its end.
  app->option_defaults()->always_capture_default()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app->formatter(std::make_shared<HelpFormatter>(rest));
  app->footer(footer);
  return app;
}

void accept_config_file(CLI::App& app, std::string& path) {
  app.add_option("--config", path, "File of \"key = value\" lines, one per option below; the command line wins")
      ->configurable(false)
      ->type_name("FILE");
}

bool stands_in(const std::vector<std::string>& arguments, const CLI::Option& option) {
  return std::ranges::any_of(arguments, [&](const std::string& argument) {
    return is_long_option(argument) && option.check_name(name_of(with_underscores(argument)));
  });
}

void parse_command_line(CLI::App& app, std::vector<std::string> arguments) {
  const auto texts = std::find(arguments.begin(), arguments.end(), "--");  // what follows is no option
  std::transform(arguments.begin(), texts, arguments.begin(), with_underscores);
  std::string complaints = unknown_options(arguments, app);
  if (const std::string path = config_path(arguments);
      !path.empty() && app.get_option_no_throw("--config") != nullptr) {
    ConfigArguments config = read_config(path, arguments, app);
    complaints += config.complaints;
    arguments.insert(arguments.begin(), config.arguments.begin(), config.arguments.end());
  }
  if (!complaints.empty())
    throw UsageError(app.get_name() + " does not take:" + complaints + "\nSee " + app.get_name() + " --help.");
  settle_forms(arguments, app);
  std::reverse(arguments.begin(), arguments.end());  // as CLI::App::parse(vector) wants them
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    throw HelpRequested{app.help()};
  } catch (const CLI::RequiredError&) {
    throw UsageError(missing_options(app) + stray_words(app) + "\nSee " + app.get_name() + " --help.");
  } catch (const CLI::ArgumentMismatch& error) {
    const std::string words = error.what();
    throw UsageError(words.substr(0, words.find(':')) + ": found nothing, expected a value\nSee " + app.get_name() +
                     " --help.");
  } catch (const CLI::ExtrasError&) {
    throw UsageError(app.get_name() + " does not take:" + stray_words(app) + "\nSee " + app.get_name() + " --help.");
  } catch (const CLI::ParseError& error) {
    throw UsageError(std::string(error.what()) + "\nSee " + app.get_name() + " --help.");
  }
}

}  // namespace lockstep
