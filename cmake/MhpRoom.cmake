# mhp_room(NAME USES rooms... LIBS libraries...): library, tests, fuzz targets and benchmarks of one folder of src/;
# refuses an edge that src/layers.txt does not allow.

file(STRINGS ${PROJECT_SOURCE_DIR}/src/layers.txt layer_lines REGEX "^[a-z]")

# Line number of a room in layers.txt, 0 is the top.
function(mhp_layer_of room out)
  set(number 0)
  set(found -1)
  foreach(line IN LISTS layer_lines)
    if(NOT line MATCHES "^only ")
      separate_arguments(rooms UNIX_COMMAND "${line}")
      if(room IN_LIST rooms)
        set(found ${number})
      endif()
    endif()
    math(EXPR number "${number} + 1")
  endforeach()
  if(found EQUAL -1)
    message(FATAL_ERROR "src/layers.txt: no room named ${room}")
  endif()
  set(${out} ${found} PARENT_SCOPE)
endfunction()

# Headers that nearly every file reads, parsed once for all files of the same kind: `words` for the rooms' libraries,
# `test_words` for their tests.
set(common_headers <algorithm> <array> <atomic> <chrono> <cstdint> <functional> <map> <memory> <mutex> <optional>
  <random> <set> <span> <string> <tl/expected.hpp> <unordered_map> <vector> <asio/any_io_executor.hpp>
  <asio/awaitable.hpp> <asio/co_spawn.hpp> <asio/io_context.hpp> <asio/post.hpp> <asio/steady_timer.hpp>
  <asio/use_awaitable.hpp>)
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/words.cc CONTENT "int main() {}\n")
add_library(words OBJECT ${CMAKE_BINARY_DIR}/words.cc)
target_link_libraries(words PRIVATE mhp_asio)
target_precompile_headers(words PRIVATE ${common_headers})
target_compile_options(words PRIVATE "SHELL:-Xclang -fno-pch-timestamp") # ccache knows it by its content
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  set(MHP_TEST_OPTIONS -O0) # their loops are in the rooms
endif()
if(MHP_TESTS)
  add_executable(test_words ${CMAKE_BINARY_DIR}/words.cc) # a program, since tests are: their code is placed alike
  target_link_libraries(test_words PRIVATE mhp_asio GTest::gtest)
  target_precompile_headers(test_words PRIVATE ${common_headers} <gtest/gtest.h>)
  target_compile_options(test_words PRIVATE "SHELL:-Xclang -fno-pch-timestamp" ${MHP_TEST_OPTIONS})
endif()

# Of a room's test files those that match, and what is no test itself but helps them.
function(mhp_keep_tests files regex)
  set(kept)
  foreach(file IN LISTS ${files})
    file(STRINGS ${file} matches REGEX "${regex}" LIMIT_COUNT 1)
    file(STRINGS ${file} tests REGEX "^(TYPED_)?TEST(_F|_P)?\\(" LIMIT_COUNT 1)
    if(matches OR NOT tests)
      list(APPEND kept ${file})
    endif()
  endforeach()
  set(${files} ${kept} PARENT_SCOPE)
endfunction()

function(mhp_room name)
  cmake_parse_arguments(ROOM "" "" "USES;LIBS" ${ARGN})
  mhp_layer_of(${name} own_layer)
  foreach(used IN LISTS ROOM_USES)
    mhp_layer_of(${used} used_layer)
    if(NOT used_layer GREATER own_layer)
      message(FATAL_ERROR "src/layers.txt: ${name} may not use ${used}")
    endif()
  endforeach()

  file(GLOB_RECURSE all CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  set(tests ${all})
  set(fuzzers ${all})
  set(benches ${all})
  set(sources ${all})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.cc$")
  list(FILTER benches INCLUDE REGEX "_bench\\.cc$")
  list(FILTER sources EXCLUDE REGEX "(_test|_fuzz|_bench|/main)\\.cc$")
  if(MHP_SANITIZE STREQUAL "thread") # a simulated machine has one thread: nothing to see there
    mhp_keep_tests(tests "make_posix_platform|std::j?thread")
  elseif(CMAKE_BUILD_TYPE STREQUAL "Release") # what the dev preset tries a sample of
    mhp_keep_tests(tests "test_run::stride")
  endif()

  add_library(mhp_${name} STATIC ${sources})
  target_compile_options(mhp_${name} PUBLIC -iquote ${PROJECT_SOURCE_DIR}/src)
  foreach(used IN LISTS ROOM_USES)
    target_link_libraries(mhp_${name} PUBLIC mhp_${used})
  endforeach()
  target_link_libraries(mhp_${name} PUBLIC ${ROOM_LIBS})
  set_property(TARGET mhp_${name} PROPERTY LINKER_LANGUAGE CXX)
  # With sanitizers, optimising takes half of the time of compiling. It pays where loops over bytes are.
  if(CMAKE_BUILD_TYPE STREQUAL "Debug" AND name MATCHES "^(base|primitives|wire)$")
    target_compile_options(mhp_${name} PRIVATE -O1)
  elseif(CMAKE_BUILD_TYPE STREQUAL "Release" AND name STREQUAL "app") # runs once for each command
    target_compile_options(mhp_${name} PRIVATE -O1)
  endif()
  set_target_properties(mhp_${name} PROPERTIES UNITY_BUILD ${MHP_UNITY} UNITY_BUILD_BATCH_SIZE ${MHP_UNITY_FILES})

  if((name STREQUAL "platform" OR "platform" IN_LIST ROOM_USES) AND NOT name STREQUAL "app")
    target_precompile_headers(mhp_${name} REUSE_FROM words)
  endif()

  if(MHP_TESTS AND tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE mhp_${name} mhp_asio GTest::gtest GTest::gtest_main)
    target_precompile_headers(${name}_test REUSE_FROM test_words)
    target_compile_options(${name}_test PRIVATE ${MHP_TEST_OPTIONS})
    set_target_properties(${name}_test PROPERTIES UNITY_BUILD ${MHP_UNITY} UNITY_BUILD_BATCH_SIZE ${MHP_UNITY_FILES})
    include(GoogleTest)
    gtest_discover_tests(${name}_test WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} TEST_PREFIX "${name}." DISCOVERY_TIMEOUT 60
      PROPERTIES TIMEOUT ${MHP_TEST_SECONDS} LABELS ${name})
  endif()
  if(MHP_FUZZ AND MHP_SANITIZE AND fuzzers)
    # What libFuzzer is guided by, in the rooms that parse. (-fsanitize=fuzzer-no-link is the same and would need
    # precompiled headers of its own.)
    target_compile_options(mhp_${name} PRIVATE
      -fsanitize-coverage=inline-8bit-counters,indirect-calls,trace-cmp,pc-table)
    foreach(source IN LISTS fuzzers)
      get_filename_component(target ${source} NAME_WE)
      add_executable(${target} ${source})
      target_link_libraries(${target} PRIVATE mhp_${name} -fsanitize=fuzzer)
      set(corpus ${PROJECT_SOURCE_DIR}/tests/corpus/${target})
      add_test(NAME fuzz.${target}
        COMMAND ${PROJECT_SOURCE_DIR}/tools/fuzz_smoke.sh $<TARGET_FILE:${target}> ${corpus})
      set_tests_properties(fuzz.${target} PROPERTIES TIMEOUT 120 LABELS fuzz)
    endforeach()
  endif()
  if(MHP_BENCH AND benches)
    add_executable(${name}_bench ${benches})
    target_link_libraries(${name}_bench PRIVATE mhp_${name} benchmark::benchmark benchmark::benchmark_main)
  endif()
endfunction()
