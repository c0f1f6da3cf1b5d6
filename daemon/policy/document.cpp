// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/document.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <exception>
#include <sstream>

#include "daemon/policy/errors.h"
#include "daemon/policy/text_check.h"

namespace raceguard::policy {
namespace {

// The only way out of YAML::Parser from within an event is to throw; caught in parse_document.
struct StopParsing {};

class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(const std::string& file_name, PolicyErrors& errors) : file_name_(file_name), errors_(errors) {}

  [[nodiscard]] Node take_root() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) {
      stop(mark, "a second document, expected one document a file", "Put it into a file of its own");
    }
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override { place(make(NodeKind::kNull, mark)); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    stop(mark, "an alias (*name), expected the value itself", "Policies have no anchors and aliases: repeat the value");
  }
  void OnAnchor(const YAML::Mark& mark, const std::string& name) override {
    stop(mark, fmt::format("an anchor ({}), expected the value itself", in_quotes("&" + name)),
         "Policies have no anchors and aliases: repeat the value");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                const std::string& value) override {
    refuse_tag(mark, tag);
    Node node = make(NodeKind::kScalar, mark);
    node.text = value;
    node.quoted = tag == "!";  // yaml-cpp's mark for a scalar that is not plain
    place(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                       YAML::EmitterStyle::value /*style*/) override {
    open(NodeKind::kList, mark, tag);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                  YAML::EmitterStyle::value /*style*/) override {
    open(NodeKind::kMapping, mark, tag);
  }
  void OnMapEnd() override {
    report_duplicates(stack_.back().node);
    close();
  }

 private:
  struct Level {
    Node node;
    bool has_key = false;  // mapping: the next node is the value of `key`
    Node key;
  };

  [[noreturn]] void stop(const YAML::Mark& mark, std::string what, std::string remedy) {
    errors_.add(error_at(ErrorCode::kPolicySyntax, position(mark), std::move(what), std::move(remedy)));
    throw StopParsing{};
  }

  [[nodiscard]] Position position(const YAML::Mark& mark) const {
    return {file_name_, static_cast<std::uint32_t>(mark.line + 1), static_cast<std::uint32_t>(mark.column + 1)};
  }

  void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!") {
      stop(mark, fmt::format("a tag ({}), expected a value without one", in_quotes(tag)), "Remove the tag");
    }
  }

  Node make(NodeKind kind, const YAML::Mark& mark) {
    if (++nodes_ > kMaxNodes) {
      stop(mark, fmt::format("more than {} values, expected a smaller file", kMaxNodes),
           "Split it over several files of a drop-in directory");
    }
    Node node;
    node.kind = kind;
    node.line = static_cast<std::uint32_t>(mark.line + 1);
    node.column = static_cast<std::uint32_t>(mark.column + 1);
    return node;
  }

  void open(NodeKind kind, const YAML::Mark& mark, const std::string& tag) {
    refuse_tag(mark, tag);
    if (stack_.size() >= kMaxDepth) {
      stop(mark, fmt::format("nesting deeper than {} levels, expected a flat file", kMaxDepth), "");
    }
    stack_.push_back({make(kind, mark), false, {}});
  }

  void close() {
    Node node = std::move(stack_.back().node);
    stack_.pop_back();
    place(std::move(node));
  }

  void place(Node node) {
    if (stack_.empty()) {
      root_ = std::move(node);
      return;
    }
    Level& level = stack_.back();
    if (level.node.kind == NodeKind::kMapping && !level.has_key) {
      if (node.kind != NodeKind::kScalar) {
        errors_.add(error_at(ErrorCode::kPolicySyntax, {file_name_, node.line, node.column},
                             "a key that is not text, expected a name", ""));
        throw StopParsing{};
      }
      level.key = std::move(node);
      level.has_key = true;
      return;
    }
    if (level.has_key) {
      node.key = std::move(level.key.text);
      node.key_line = level.key.line;
      node.key_column = level.key.column;
      level.has_key = false;
    }
    level.node.children.push_back(std::move(node));
  }

  void report_duplicates(const Node& mapping) {
    std::vector<const Node*> members;
    members.reserve(mapping.children.size());
    for (const Node& member : mapping.children) {
      members.push_back(&member);
    }
    std::stable_sort(members.begin(), members.end(), [](const Node* a, const Node* b) { return a->key < b->key; });
    for (std::size_t i = 1; i < members.size(); ++i) {
      if (members[i]->key != members[i - 1]->key) {
        continue;
      }
      const Node* first = members[i - 1];
      errors_.add(error_at(ErrorCode::kPolicyDuplicateKey, {file_name_, members[i]->key_line, members[i]->key_column},
                           fmt::format("key {} again (before at {}:{}:{}), expected each key once",
                                       in_quotes(members[i]->key), file_name_, first->key_line, first->key_column),
                           "Remove one of the two"));
    }
  }

  const std::string& file_name_;
  PolicyErrors& errors_;
  Node root_;
  std::vector<Level> stack_;
  std::size_t nodes_ = 0;
  int documents_ = 0;
};

void add_yaml_exception(const YAML::Exception& exception, const std::string& file_name, PolicyErrors& errors) {
  Position position{file_name, 0, 0};
  if (!exception.mark.is_null()) {
    position.line = static_cast<std::uint32_t>(exception.mark.line + 1);
    position.column = static_cast<std::uint32_t>(exception.mark.column + 1);
  }
  errors.add(error_at(ErrorCode::kPolicySyntax, position, fmt::format("{}, expected valid YAML", exception.msg), ""));
}

}  // namespace

const Node* Node::find(std::string_view name) const {
  const auto found = std::find_if(children.begin(), children.end(), [&](const Node& node) { return node.key == name; });
  return kind == NodeKind::kMapping && found != children.end() ? &*found : nullptr;
}

bool parse_document(std::string_view text, const std::string& file_name, Node& root, PolicyErrors& errors) {
  if (text.size() > kMaxFileBytes) {
    errors.add(error_at(ErrorCode::kPolicySyntax, {file_name, 0, 0},
                        fmt::format("{} bytes, expected at most {}", text.size(), kMaxFileBytes),
                        "Split it over several files of a drop-in directory"));
    return false;
  }
  if (const auto bad = find_bad_byte(text)) {
    errors.add(error_at(ErrorCode::kPolicySyntax, {file_name, bad->line, bad->column},
                        fmt::format("byte 0x{:02x}, expected UTF-8 text without control characters", bad->byte), ""));
    return false;
  }
  TreeBuilder builder(file_name, errors);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const StopParsing&) {
    return false;
  } catch (const YAML::Exception& exception) {
    add_yaml_exception(exception, file_name, errors);
    return false;
  } catch (const std::exception& exception) {
    errors.add(error_at(ErrorCode::kPolicySyntax, {file_name, 0, 0},
                        fmt::format("the YAML library gave up ({}), expected valid YAML", exception.what()), ""));
    return false;
  }
  root = builder.take_root();
  return true;
}

}  // namespace raceguard::policy
