#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""daemonset_test.py: holds deploy/kubernetes/daemonset.yaml to what docs/deploy.md promises.

By structure only: running it needs a kubelet, or podman 5.4 (`podman kube play` of a DaemonSet with hostPID), and Debian
12 has podman 4.3. What it asks of the kernel is run by tests/e2e/container/run with the same rights."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
DAEMON = pathlib.Path(os.environ.get("RG_BINARY_DIR", ROOT / "build")) / "bin/raceguardd"
DOCUMENTS = list(yaml.safe_load_all((ROOT / "deploy/kubernetes/daemonset.yaml").read_text()))
CONFIG = next(each for each in DOCUMENTS if each["kind"] == "ConfigMap")
POD = next(each for each in DOCUMENTS if each["kind"] == "DaemonSet")["spec"]["template"]
CONTAINER = POD["spec"]["containers"][0]


class DaemonSet(unittest.TestCase):
    def test_rights_are_those_of_the_podman_test_and_the_doc(self):
        rights = CONTAINER["securityContext"]
        self.assertFalse(rights["privileged"] or rights["allowPrivilegeEscalation"])
        self.assertTrue(rights["readOnlyRootFilesystem"])
        self.assertEqual(rights["capabilities"]["drop"], ["ALL"])
        added = set(rights["capabilities"]["add"])
        script = (ROOT / "tests/e2e/container/run").read_text()
        self.assertEqual(added, set(re.findall(r"--cap-add=(\w+)", script)))
        page = (ROOT / "docs/deploy.md").read_text()
        self.assertEqual(added, set(re.findall(r"^\| `CAP_(\w+)` \|", page, re.MULTILINE)))

    def test_sees_the_hosts_processes_and_nothing_of_the_network_or_ipc(self):
        self.assertTrue(POD["spec"]["hostPID"])
        self.assertNotIn("hostNetwork", POD["spec"])
        self.assertNotIn("hostIPC", POD["spec"])
        self.assertFalse(POD["spec"]["automountServiceAccountToken"])

    def test_host_paths_that_are_written_are_its_own(self):
        volumes = {each["name"]: each for each in POD["spec"]["volumes"]}
        mounted = {each["name"] for each in CONTAINER["volumeMounts"]}
        self.assertEqual(mounted, set(volumes))
        written = {volumes[each["name"]]["hostPath"]["path"] for each in CONTAINER["volumeMounts"]
                   if not each.get("readOnly") and "hostPath" in volumes[each["name"]]}
        self.assertEqual(written, {"/run/raceguard", "/var/lib/raceguard"})

    def test_probes_ask_what_the_daemon_answers(self):
        ports = {each["name"]: each["containerPort"] for each in CONTAINER["ports"]}
        settings = yaml.safe_load(CONFIG["data"]["raceguard.yaml"])["daemon"]
        api = (ROOT / "docs/api.md").read_text()
        for name in ("startupProbe", "readinessProbe", "livenessProbe"):
            probe = CONTAINER[name]["httpGet"]
            self.assertEqual(ports[probe["port"]], settings["listen_port"])
            self.assertIn(f"`{probe['path']}`", api)

    def test_files_that_the_arguments_name_are_mounted(self):
        paths = [argument for argument in CONTAINER["args"] if argument.startswith("/")]
        mounts = [each["mountPath"] for each in CONTAINER["volumeMounts"]]
        for path in paths:
            self.assertTrue(any(mount.startswith(path) for mount in mounts), path)
        for each in CONTAINER["volumeMounts"]:
            if each["name"] == "config":
                self.assertIn(each["subPath"], CONFIG["data"])

    @unittest.skipUnless(DAEMON.exists(), f"{DAEMON} is not built")
    def test_configuration_is_valid(self):
        with tempfile.TemporaryDirectory() as scratch:
            arguments = []
            for name, text in CONFIG["data"].items():
                path = pathlib.Path(scratch) / name
                path.write_text(text)
                arguments += ["--config", str(path)]
            done = subprocess.run([str(DAEMON), "--check", *arguments], capture_output=True, text=True)
            # No checkout runs on a build machine: a glob that matches nothing (RG-P108) is no mistake of the file.
            wrong = [line for line in (done.stdout + done.stderr).splitlines() if re.search(r"RG-P1(?!08)\d\d", line)]
            self.assertEqual(wrong, [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
