#!/usr/bin/env python3
# Shows that tools/check_rooms.py sees: planted edges of every forbidden kind are found, allowed ones are not.
import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import check_rooms  # noqa: E402

LAYERS = "# order\napp\nshare webarchive\nvault\ndispersal\nnet home\nplatform\nwire\nprimitives\nbase\n" \
         "only primitives/aead: vault share\n"
EXISTING = ["app/command.h", "vault/writer.h", "vault/impl/pack.h", "dispersal/plan.h", "home/home.h", "net/link.h",
            "home/home_contract_test.h", "home/testing/seeds.h", "primitives/test_bytes.h",
            "platform/disk.h", "platform/memory/memory_platform.h", "wire/card.h",
            "wire/card.proto", "primitives/aead/box.h", "base/ids.h"]


class CheckRooms(unittest.TestCase):
    def problems(self, path, text):
        """What the check says of a tree where src/`path` holds `text`."""
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name in EXISTING:
                (root / "src" / name).parent.mkdir(parents=True, exist_ok=True)
                (root / "src" / name).write_text("// Empty.\n")
            (root / "src/layers.txt").write_text(LAYERS)
            (root / "src" / path).parent.mkdir(parents=True, exist_ok=True)
            (root / "src" / path).write_text(text)
            return check_rooms.check(root)

    def assert_refused(self, path, target, why):
        found = self.problems(path, f'// A file.\n\n#include "{target}"\n')
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(f"src/{path}:3: "), found)
        self.assertIn(why, found[0])

    def assert_fine(self, path, target):
        self.assertEqual(self.problems(path, f'#include "{target}"\n'), [])

    def test_downward_edges_are_fine(self):
        self.assert_fine("vault/a.cc", "dispersal/plan.h")
        self.assert_fine("vault/a.cc", "base/ids.h")
        self.assert_fine("vault/a.cc", "vault/writer.h")

    def test_upward_edge(self):
        self.assert_refused("home/a.cc", "vault/writer.h", "home may not use vault")
        self.assert_refused("base/a.h", "app/command.h", "base may not use app")

    def test_sideways_edge(self):
        self.assert_refused("home/a.cc", "net/link.h", "home may not use net")

    def test_private_folder(self):
        self.assert_fine("vault/a.cc", "vault/impl/pack.h")
        self.assert_refused("app/a.cc", "vault/impl/pack.h", "private to vault")

    def test_only_vault_and_share_may_seal(self):
        self.assert_fine("vault/a.cc", "primitives/aead/box.h")
        self.assert_fine("share/a.cc", "primitives/aead/box.h")
        self.assert_fine("primitives/sign/a.cc", "primitives/aead/box.h")
        self.assert_refused("dispersal/a.cc", "primitives/aead/box.h", "only share and vault")
        self.assert_refused("app/a_test.cc", "primitives/aead/box.h", "only share and vault")

    def test_memory_platform_is_for_tests(self):
        self.assert_fine("vault/a_test.cc", "platform/memory/memory_platform.h")
        self.assert_fine("platform/memory/b.cc", "platform/memory/memory_platform.h")
        self.assert_refused("vault/a.cc", "platform/memory/memory_platform.h", "for tests")

    def test_product_does_not_use_tests(self):
        self.assert_fine("home/folder_test.cc", "home/home_contract_test.h")
        self.assert_fine("home/testing/b.h", "platform/memory/memory_platform.h")
        self.assert_fine("vault/a_test.cc", "primitives/test_bytes.h")
        for target in ["home/home_contract_test.h", "home/testing/seeds.h", "primitives/test_bytes.h"]:
            self.assert_refused("home/a.cc", target, "part of a test")

    def test_includes_are_by_room_path_and_exist(self):
        self.assert_refused("vault/a.cc", "writer.h", "room path")
        self.assert_refused("vault/a.cc", "../base/ids.h", "room path")
        self.assert_refused("vault/a.cc", "base/../base/ids.h", "room path")
        self.assert_refused("vault/a.cc", "base/absent.h", "no file")
        self.assert_refused("vault/a.cc", "cloud/x.h", "room path")

    def test_own_headers_stand_in_quotes(self):
        self.assertIn("in quotes", self.problems("vault/a.cc", "#include <base/ids.h>\n")[0])
        self.assertEqual(self.problems("vault/a.cc", "#include <vector>\n#include <net/if.h>\n"), [])

    def test_generated_schemas_stay_in_wire(self):
        self.assert_fine("wire/a.cc", "wire/card.pb.h")
        self.assert_refused("vault/a.cc", "wire/card.pb.h", "wire only")

    def test_schemas_import_by_room_path(self):
        self.assertEqual(self.problems("wire/a.proto", 'import "wire/card.proto";\n'), [])
        self.assertEqual(len(self.problems("wire/a.proto", 'import "card.proto";\n')), 1)

    def test_room_without_a_line(self):
        self.assertIn("no room named attic", self.problems("attic/a.cc", "int a;\n")[0])

    def test_comments_and_spaces(self):
        hidden = '/*\n#include "vault/writer.h"\n*/\n// #include "app/command.h"\n'
        self.assertEqual(self.problems("home/a.cc", hidden), [])
        self.assertEqual(len(self.problems("home/a.cc", ' #  include   "vault/writer.h"\n')), 1)

    def test_every_room_folder_of_this_tree_is_read(self):
        layers = check_rooms.Layers((ROOT / "src/layers.txt").read_text())
        self.assertEqual({"base", "vault", "app"} - set(layers.line_of_room), set())
        self.assertEqual(layers.only, {"primitives/aead/": {"vault", "share"}})


if __name__ == "__main__":
    unittest.main()
