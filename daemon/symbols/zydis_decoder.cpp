// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/zydis_decoder.h"

namespace raceguard::symbols {
namespace {

ZydisDecoder make_decoder(bool minimal) {
  ZydisDecoder decoder;
  ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_MINIMAL, minimal ? ZYAN_TRUE : ZYAN_FALSE);
  return decoder;
}

}  // namespace

std::optional<DecodedInstruction> decode_full(std::span<const std::byte> code) {
  static const ZydisDecoder decoder = make_decoder(false);
  std::optional<DecodedInstruction> result(std::in_place);
  if (!ZYAN_SUCCESS(
          ZydisDecoderDecodeFull(&decoder, code.data(), code.size(), &result->raw, result->operands.data()))) {
    result.reset();
  }
  return result;
}

std::optional<ZydisDecodedInstruction> decode_minimal(std::span<const std::byte> code) {
  static const ZydisDecoder decoder = make_decoder(true);
  std::optional<ZydisDecodedInstruction> result(std::in_place);
  if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, nullptr, code.data(), code.size(), &*result))) {
    result.reset();
  }
  return result;
}

std::string format_instruction(const DecodedInstruction& instruction, std::uint64_t address) {
  ZydisFormatter formatter;
  ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
  ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_ADDR_PADDING_ABSOLUTE, ZYDIS_PADDING_DISABLED);
  ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_HEX_UPPERCASE, ZYAN_FALSE);
  std::array<char, 160> text{};
  ZydisFormatterFormatInstruction(&formatter, &instruction.raw, instruction.operands.data(),
                                  instruction.raw.operand_count_visible, text.data(), text.size(), address, nullptr);
  return text.data();
}

std::optional<unsigned> general_register(ZydisRegister part) {
  const ZydisRegister full = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, part);
  if (full < ZYDIS_REGISTER_RAX || full > ZYDIS_REGISTER_R15) {
    return std::nullopt;
  }
  return static_cast<unsigned>(full - ZYDIS_REGISTER_RAX);
}

bool reads(const ZydisDecodedOperand& operand) { return (operand.actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0; }
bool writes(const ZydisDecodedOperand& operand) { return (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0; }

}  // namespace raceguard::symbols
