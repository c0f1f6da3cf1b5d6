// SPDX-License-Identifier: Apache-2.0
#include "ctl/command_line.h"

#include <algorithm>
#include <deque>
#include <optional>

#include <CLI/CLI.hpp>

#include "ctl/commands.h"
#include "ctl/terminal.h"

namespace raceguard::ctl {
namespace {

std::vector<std::string> words(std::string_view text) { return CLI::detail::split(std::string(text), ' '); }

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char byte) { return static_cast<char>(byte >= 'a' && byte <= 'z' ? byte - 32 : byte); });
  return text;
}

// Where CLI11 leaves one argument's words. A deque keeps them in place.
struct Slot {
  std::string name;  // without dashes and other spellings
  std::optional<std::string> one;
  std::vector<std::string> many;
  bool flag = false;
};

void add_argument(CLI::App& command, const Argument& argument, Slot& slot) {
  const std::string spelling(argument.name);
  const std::string help(argument.help);
  slot.name = spelling.substr(spelling.find_first_not_of('-'));
  slot.name = slot.name.substr(0, slot.name.find(','));
  if (argument.arity == Arity::kFlag) {
    command.add_flag(spelling, slot.flag, help);
    return;
  }
  CLI::Option* option = nullptr;
  if (argument.arity == Arity::kMany) {
    option = command.add_option(spelling, slot.many, help)->expected(1, 4096);
  } else if (argument.arity == Arity::kRepeat) {
    option = command.add_option(spelling, slot.many, help)
                 ->expected(1)
                 ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  } else {
    option = command.add_option(spelling, slot.one, help);  // not a vector: that would eat the next positional too
  }
  option->type_name(argument.allowed.empty() ? upper(slot.name) : std::string());
  option->required(argument.arity != Arity::kOption && argument.arity != Arity::kRepeat &&
                   argument.arity != Arity::kMaybe);
  if (!argument.allowed.empty()) {
    option->check(CLI::IsMember(words(argument.allowed)));
  }
}

void add_output_option(CLI::App& app, std::string& output) {
  app.add_option("-o,--output", output, "text for people, json for programs (docs/api.md); record: html too")
      ->check(CLI::IsMember({"text", "json", "html"}))
      ->type_name("text|json|html");
}

int run_chosen(const Command& command, const std::deque<Slot>& slots, Invocation invocation) {
  invocation.command = command.name;
  for (const Slot& slot : slots) {
    if (slot.one) {
      invocation.values[slot.name] = {*slot.one};
    } else if (slot.flag || !slot.many.empty()) {
      invocation.values[slot.name] = slot.many;
    }
  }
  return command.run(invocation);
}

}  // namespace

int run_command_line(int argc, char** argv) {
  CLI::App app(
      "Asks raceguardd what it sees and does, forces its switches, and checks policies, binaries and evidence.");
  app.require_subcommand(1);
  app.set_version_flag("--version", "raceguardctl " RG_VERSION);
  app.footer("Exit status: 0 done, 1 failed (daemon not there, request refused, check not passed), 2 wrong usage.");
  Invocation invocation;
  invocation.style = output_style();
  std::string output = "text";
  const auto add_common = [&](CLI::App& to) {
    add_output_option(to, output);
    to.add_option("--run-directory", invocation.run_directory, "the daemon's run_directory, where control.sock is")
        ->type_name("DIR");
  };
  add_common(app);
  std::array<std::deque<Slot>, kCommands.size()> slots;
  for (std::size_t i = 0; i < kCommands.size(); ++i) {
    CLI::App* command = app.add_subcommand(std::string(kCommands[i].name), std::string(kCommands[i].help));
    for (const Argument& argument : kCommands[i].arguments) {
      if (argument.arity != Arity::kNone) {
        add_argument(*command, argument, slots[i].emplace_back());
      }
    }
    add_common(*command);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kOk : kUsage;
  }
  invocation.json = output == "json";
  invocation.html = output == "html";
  for (std::size_t i = 0; i < kCommands.size(); ++i) {
    if (app.got_subcommand(std::string(kCommands[i].name))) {
      if (invocation.html && kCommands[i].run != run_record) {
        return report(Error(ErrorCode::kUsage, "only record writes html", "Use -o text or -o json"));
      }
      return run_chosen(kCommands[i], slots[i], std::move(invocation));
    }
  }
  return kUsage;
}

}  // namespace raceguard::ctl
