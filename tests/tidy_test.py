#!/usr/bin/env python3
# Shows that tools/tidy.py sees: each banned thing, planted, is found on its line; look-alikes are left alone.
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
import source  # noqa: E402
import tidy  # noqa: E402

OPENING = "// A file that is here to be looked at.\n"


def problems(text, path="src/vault/a.cc", allowed=()):
    return list(tidy.problems_of(path, text, set(allowed)))


class Tidy(unittest.TestCase):
    def assert_found(self, code, what, path="src/vault/a.cc"):
        found = problems(OPENING + code + "\n", path)
        self.assertEqual(len(found), 1, (code, found))
        self.assertEqual(found[0][0], 2)
        self.assertIn(what, found[0][1])

    def assert_fine(self, code, path="src/vault/a.cc"):
        self.assertEqual(problems(OPENING + code + "\n", path), [], code)

    def test_opening_sentence(self):
        self.assertEqual(problems("int a;\n")[0][0], 1)
        self.assertEqual(problems("// vault\nint a;\n")[0][0], 1)
        self.assertEqual(problems("// What it is for, in a sentence\n// of two lines.\n"), [])
        self.assertEqual(problems("#!/usr/bin/env python3\n# A script.\n", "tools/a.py"), [])

    def test_own_header_first(self):
        def wrong(text):
            return list(tidy.check_own_header("src/vault/a.cc", OPENING + text, True))
        self.assertEqual(wrong('#include "vault/a.h"\n\n#include <map>\n'), [])
        self.assertEqual(len(wrong('#include <map>\n\n#include "vault/a.h"\n')), 1)
        self.assertEqual(len(wrong("int a;\n")), 1)
        self.assertEqual(list(tidy.check_own_header("src/vault/a.cc", "int a;\n", False)), [])

    def test_columns(self):
        self.assert_found("// " + "x" * 118, "121 columns")
        self.assert_fine("// " + "\u00e9" * 117)

    def test_banned(self):
        for code in ["throw 1;", "std::thread t;", "std::jthread t;",
                     "auto t = std::chrono::system_clock::now();",
                     "auto t = std::chrono::steady_clock::now();", "int r = rand();", "srand (1);",
                     "std::random_device d;", "auto* p = new int(3);", "auto* p = new (place) Thing;",
                     "  delete pointer;", "if (x) { y(); delete [] p; }", "asio::co_spawn(e, f(), asio::detached);",
                     "std::this_thread::sleep_for(1s);"]:
            self.assert_found(code, "banned")

    def test_platform_is_the_door(self):
        self.assert_fine("std::thread t;", "src/platform/posix/a.cc")
        self.assert_fine("auto t = std::chrono::system_clock::now();", "src/platform/posix/a.cc")

    def test_look_alikes(self):
        for code in ["Home(const Home&) = delete;", "int new_bytes = 1;", "// a new home; rand() is banned",
                     'say("throw new delete");', "#include <new>", "int operand(int);", "bool deleted = false;",
                     "auto big = 1'000'000; int c = 'n';", "Home& operator=(const Home&) =\n    delete;"]:
            self.assert_fine(code)

    def test_unfinished_words(self):
        self.assert_found("// TO" + "DO: later", "unfinished")
        self.assert_found("int a;  // FIX" + "ME", "unfinished", "src/platform/a.cc")

    def test_pragma_once(self):
        self.assertIn("#pragma once", problems(OPENING, "src/vault/a.h")[0][1])
        self.assertEqual(problems(OPENING + "#pragma once\n", "src/vault/a.h"), [])

    def test_words(self):
        header = OPENING + "#pragma once\n"
        for code in ["class PeerList;", "int server_count;", "void add_node();", "enum class E { shards };"]:
            found = problems(header + code + "\n", "src/vault/a.h")
            self.assertEqual([line for line, _ in found], [3], code)
        for code in ["class Observer;", "int nodelay;", "// a server", "void preserve();"]:
            self.assertEqual(problems(header + code + "\n", "src/vault/a.h"), [], code)
        self.assertEqual(problems(header + "struct NodeInfo;\n", "src/vault/a.h", ["NodeInfo"]), [])
        self.assert_fine("int node;")  # inside a .cc it is nobody else's business

    def test_function_length(self):
        body = "".join(f"  step({number});\n" for number in range(69))
        self.assertEqual(problems(OPENING + "void f() {\n" + body[:-1 * len("  step(68);\n")] + "}\n"), [])
        for head in ["void f() {\n", "Task<Result<void>> A::f(int a, B b) const {\n", "TEST(Suite, Name) {\n",
                     "template <class T>\nT f(std::vector<T> x) {\n", "namespace a {\nstruct B {\nint f() {\n",
                     "A::A(int b) : b_{b}, c_(b) {\n"]:
            closing = "}};\n}\n" if "namespace" in head else "}\n"
            found = problems(OPENING + head + body + closing)
            self.assertEqual(len(found), 1, (head, found))
            self.assertRegex(found[0][1], r"7[0-9] lines")

    def test_long_things_that_are_no_functions(self):
        rows = "".join(f"    {{{number}, {number}}},\n" for number in range(90))
        self.assert_fine("constexpr Row kTable[] = {\n" + rows + "};")
        self.assert_fine("namespace mhp {\n" + "int f();\n" * 90 + "}")
        self.assert_fine("struct A {\n" + "  int f() { return 1; }\n" * 90 + "};")
        self.assert_fine("enum class A : std::uint8_t {\n" + rows.replace("{", "a").replace("}", "") + "};")

    def test_name_of_function(self):
        code = "namespace mhp {\nResult<int> Vault::open(int a) {\n}\nTEST(Gather, Fast) {\n}\n}\n"
        self.assertEqual([name for name, _, _ in tidy.functions(source.masked(code))],
                         ["Vault::open", "TEST(Gather, Fast)"])

    def test_masking_keeps_lines(self):
        text = 'a /* b\n c */ d R"x(e\n"f)x" g "h\\"" // i\n\'"\' j\n'
        self.assertEqual(len(source.masked(text)), len(text))
        self.assertEqual(source.masked(text).split(), ["a", "d", "g", "j"])


if __name__ == "__main__":
    unittest.main()
