// SPDX-License-Identifier: Apache-2.0
#include "daemon/events/dwarf_expression.h"

#include <dwarf.h>

#include <array>

namespace raceguard::events {
namespace {

class Evaluation {
 public:
  explicit Evaluation(const ExpressionContext& context) : context_(context) {}

  bool step(const Dwarf_Op& op) {
    if (op.atom >= DW_OP_lit0 && op.atom <= DW_OP_lit31) {
      return push(op.atom - DW_OP_lit0);
    }
    if (op.atom >= DW_OP_breg0 && op.atom <= DW_OP_breg31) {
      return push_register(op.atom - DW_OP_breg0, op.number);
    }
    if (op.atom >= DW_OP_reg0 && op.atom <= DW_OP_reg31) {
      result_is_address_ = false;
      return push_register(op.atom - DW_OP_reg0, 0);
    }
    switch (op.atom) {
      case DW_OP_bregx:
        return push_register(op.number, op.number2);
      case DW_OP_regx:
        result_is_address_ = false;
        return push_register(op.number, 0);
      case DW_OP_const1u:
      case DW_OP_const1s:
      case DW_OP_const2u:
      case DW_OP_const2s:
      case DW_OP_const4u:
      case DW_OP_const4s:
      case DW_OP_const8u:
      case DW_OP_const8s:
      case DW_OP_constu:
      case DW_OP_consts:
        return push(op.number);  // libdw has extended the sign
      case DW_OP_call_frame_cfa:
        return context_.cfa && push(*context_.cfa);
      case DW_OP_stack_value:
        result_is_address_ = false;
        return true;
      case DW_OP_nop:
        return true;
      case DW_OP_dup:
        return depth_ > 0 && push(top());
      case DW_OP_drop:
        return depth_ > 0 && depth_-- > 0;
      case DW_OP_plus_uconst:
        return unary([&](std::uint64_t a) { return a + op.number; });
      case DW_OP_neg:
        return unary([](std::uint64_t a) { return 0 - a; });
      case DW_OP_not:
        return unary([](std::uint64_t a) { return ~a; });
      case DW_OP_deref:
        return dereference();
      default:
        return binary(op.atom);
    }
  }

  [[nodiscard]] std::optional<ExpressionValue> result() const {
    return depth_ == 0
               ? std::nullopt
               : std::optional(ExpressionValue{.value = values_.at(depth_ - 1), .is_address = result_is_address_});
  }

 private:
  std::uint64_t& top() { return values_.at(depth_ - 1); }

  bool push(std::uint64_t value) {
    if (depth_ == values_.size()) {
      return false;
    }
    values_.at(depth_++) = value;
    return true;
  }

  bool push_register(std::uint64_t number, std::uint64_t offset) {
    return number < context_.registers.size() && push(context_.registers.at(number) + offset);
  }

  template <typename Function>
  bool unary(Function function) {
    if (depth_ == 0) {
      return false;
    }
    top() = function(top());
    return true;
  }

  bool dereference() {
    const auto word = depth_ == 0 ? std::nullopt : context_.memory.read(top());
    return word && unary([&](std::uint64_t) { return *word; });
  }

  bool binary(std::uint8_t atom) {
    if (depth_ < 2) {
      return false;
    }
    const std::uint64_t b = values_.at(depth_ - 1);
    const std::uint64_t a = values_.at(depth_ - 2);
    const auto value = apply(atom, a, b);
    --depth_;
    top() = value.value_or(0);
    return value.has_value();
  }

  static std::optional<std::uint64_t> apply(std::uint8_t atom, std::uint64_t a, std::uint64_t b) {
    const auto signed_a = static_cast<std::int64_t>(a);
    const auto signed_b = static_cast<std::int64_t>(b);
    switch (atom) {
      case DW_OP_plus:
        return a + b;
      case DW_OP_minus:
        return a - b;
      case DW_OP_mul:
        return a * b;
      case DW_OP_and:
        return a & b;
      case DW_OP_or:
        return a | b;
      case DW_OP_xor:
        return a ^ b;
      case DW_OP_shl:
        return b < 64 ? a << b : 0;
      case DW_OP_shr:
        return b < 64 ? a >> b : 0;
      case DW_OP_eq:
        return static_cast<std::uint64_t>(signed_a == signed_b);
      case DW_OP_ne:
        return static_cast<std::uint64_t>(signed_a != signed_b);
      case DW_OP_ge:
        return static_cast<std::uint64_t>(signed_a >= signed_b);
      case DW_OP_gt:
        return static_cast<std::uint64_t>(signed_a > signed_b);
      case DW_OP_le:
        return static_cast<std::uint64_t>(signed_a <= signed_b);
      case DW_OP_lt:
        return static_cast<std::uint64_t>(signed_a < signed_b);
      default:
        return std::nullopt;
    }
  }

  const ExpressionContext& context_;
  std::array<std::uint64_t, 16> values_{};
  std::size_t depth_ = 0;
  bool result_is_address_ = true;
};

}  // namespace

std::optional<ExpressionValue> evaluate(std::span<const Dwarf_Op> operations, const ExpressionContext& context) {
  Evaluation evaluation(context);
  for (const Dwarf_Op& operation : operations) {
    if (!evaluation.step(operation)) {
      return std::nullopt;
    }
  }
  return evaluation.result();
}

}  // namespace raceguard::events
