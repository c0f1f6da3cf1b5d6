# SPDX-License-Identifier: Apache-2.0
# The kinds of target that raceguard is made of.

# missing-field-initializers: g++ 12 warns at designated initialisers of option structs, which leave out defaults on purpose.
add_library(rg_options INTERFACE)
target_compile_options(rg_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wno-missing-field-initializers -Werror
  -fno-omit-frame-pointer)
target_include_directories(rg_options INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/include)
if(RG_SANITIZE)
  target_compile_options(rg_options INTERFACE -fsanitize=${RG_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(rg_options INTERFACE -fsanitize=${RG_SANITIZE})
endif()

# rg_stage(NAME [LINK library...]): a stage's static library from every .cpp (and .S) of the current folder.
# A stage links only stages before it; tests/check holds the includes to that.
function(rg_stage name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp ${CMAKE_CURRENT_SOURCE_DIR}/*.S)
  add_library(rg_${name} STATIC ${sources})
  target_link_libraries(rg_${name} PUBLIC rg_options rg_base ${ARG_LINK})
endfunction()
