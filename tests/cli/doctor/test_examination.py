import json
import os
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

import psutil
import pytest
from support.sensors import RaplTree, as_nobody

from green_callbacks.cli.doctor.account import account
from green_callbacks.cli.doctor.examination import examine
from green_callbacks.cli.doctor.gpus import gpus
from green_callbacks.cli.doctor.job.processors import processors
from green_callbacks.cli.doctor.software import software
from green_callbacks.clock import ScriptedClock
from green_callbacks.sources import ScriptedSource

FIRST, SECOND = "GPU-aaaaaaaa-0000-4000-8000-000000000001", "GPU-bbbbbbbb-0000-4000-8000-000000000002"
SLICE = "MIG-cccccccc-0000-4000-8000-000000000003"
TWO = f"gpu\nuuid {FIRST}\nname NVIDIA H100\ngpu\nuuid {SECOND}\nname NVIDIA H100"


def about(findings, topic):
    return [finding for finding in findings if finding.topic == topic]


def only(findings, topic):
    [finding] = about(findings, topic)
    return finding


class TestCommand:
    def test_it_says_what_it_found_in_plain_words(self, command, no_nvml):
        status, out, err = command("doctor", "--seconds", "0.05")

        assert err == ""
        assert status in (0, 1)
        for topic in ("NVIDIA GPU", "CPU", "TensorBoard", "Location", "PUE", "Ledger", "Measured over"):
            assert f"\n{topic}" in out
        assert ("Energy can be measured here." in out) == (status == 0)

    def test_a_measured_device_makes_it_succeed(self, command, nvml):
        status, out, _ = command("doctor", "--seconds", "0.3")

        assert status == 0
        assert "counter" in out.partition("Measured over")[2]

    def test_machines_get_json(self, command, nvml):
        nvml.script(TWO)

        status, out, _ = command("doctor", "--json", "--seconds", "0.3")

        document = json.loads(out)
        assert status == 0
        assert document["measures"] is True
        devices = document["measurement"]["devices"]
        assert devices[f"gpu:{FIRST}"]["mean_watts"] == pytest.approx(300, rel=0.2)
        assert devices[f"gpu:{SECOND}"]["method"] == "counter"
        [gpu, _] = [finding for finding in document["findings"] if finding["topic"] == "NVIDIA GPU"]
        assert gpu["state"] == "measured"
        assert gpu["details"]["uuid"] == FIRST

    def test_it_works_as_a_process_and_measures_for_as_long_as_it_is_told(self, tmp_path):
        start = [sys.executable, "-m", "green_callbacks.cli", "doctor", "--json", "--seconds", "0.2"]
        done = subprocess.run(start, capture_output=True, text=True, cwd=tmp_path, check=False)

        assert done.stderr == ""
        document = json.loads(done.stdout)
        assert done.returncode == (0 if document["measures"] else 1)
        assert document["measurement"]["duration_seconds"] >= 0.2
        assert list(tmp_path.iterdir()) == []


class TestExamination:
    def test_what_is_only_modelled_does_not_count_as_measured(self, no_nvml):
        report = examine(0.01, [ScriptedSource(method="modelled")])

        assert not report.measures
        assert "No energy can be measured here" in report.as_text()

    def test_nor_does_a_device_that_never_answered(self, no_nvml):
        clock = ScriptedClock()

        report = examine(0.01, [ScriptedSource(lost_seconds=[(0, 1e9)], clock=clock)])

        assert not report.measures
        [device] = report.as_document()["measurement"]["devices"].values()
        assert device["mean_watts"] is None

    def test_where_not_even_a_model_works_it_says_so(self, no_nvml):
        report = examine(0.01, [])

        assert not report.measures
        assert "No energy can be measured or modelled here." in report.as_text()

    def test_commands_are_on_a_line_of_their_own_whole(self, no_nvml):
        report = examine(0.01, [])
        commands = [finding.command for finding in report.findings if finding.command]

        assert commands
        assert {f"$ {command}" for command in commands} <= {line.strip() for line in report.as_text().splitlines()}

    def test_what_it_found_is_not_logged_as_well(self, no_nvml, caplog):
        examine(0.01)
        assert caplog.records == []


class TestGpus:
    def test_each_gpu_says_how_it_is_measured(self, nvml):
        refused = ("TotalEnergyConsumption", "PowerUsage", "FieldValues")
        silent = "\n".join(f"error nvmlDeviceGet{call} 3" for call in refused)
        nvml.script(f"{TWO}\ncounter 0\npower 0.02 0.02\ngpu\n{silent}")

        first, second, third = gpus({})

        assert (first.state, second.state, third.state) == ("measured", "measured", "missing")
        assert first.text == f"NVIDIA H100 ({FIRST}) is measured by its energy counter."
        assert "Its power is sampled" in second.text
        assert "neither energy nor power" in third.text

    def test_gpus_that_the_environment_leaves_out_do_not_count(self, nvml):
        nvml.script(TWO)

        used, unused = gpus({"CUDA_VISIBLE_DEVICES": "1"})

        assert (used.details["uuid"], used.command) == (SECOND, None)
        assert f"({FIRST}) does not count, because CUDA_VISIBLE_DEVICES='1' leaves it out" in unused.text
        assert unused.command is None

    def test_where_none_is_left_it_says_what_would_change_that(self, nvml):
        [finding] = gpus({"CUDA_VISIBLE_DEVICES": ""})

        assert (finding.state, finding.command) == ("known", "unset CUDA_VISIBLE_DEVICES")

    def test_an_index_in_doubt_comes_with_the_variable_that_settles_it(self, nvml):
        nvml.script("gpu\nname NVIDIA T4\ngpu\nname NVIDIA A100")

        assert gpus({"CUDA_VISIBLE_DEVICES": "0"})[0].command == "export CUDA_DEVICE_ORDER=PCI_BUS_ID"
        settled = {"CUDA_VISIBLE_DEVICES": "0", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
        assert gpus(settled)[0].command is None

    def test_a_mig_slice_is_a_modelled_share_of_its_gpu(self, nvml):
        nvml.script(f"gpu\nuuid {FIRST}\nmig {SLICE} 1 0 2 20480")

        [whole] = gpus({})
        [part] = gpus({"CUDA_VISIBLE_DEVICES": SLICE})

        assert (whole.state, whole.details["uuid"]) == ("measured", FIRST)
        assert "divided into MIG devices (1)" in whole.text
        assert (part.state, part.details["uuid"]) == ("modelled", SLICE)
        assert "2 of 7 slices" in part.text

    def test_other_processes_are_named(self, nvml):
        nvml.script("gpu\nprocess 1234567 40")
        assert "Other processes use it (1234567)" in gpus({})[0].text
        assert 'NvmlSource(share="sm_utilization")' in gpus({})[0].text
        refused = "error nvmlDeviceGetProcessUtilization 4"
        nvml.script(f"gpu\nprocess 1234567 40\n{refused}")
        assert "does not report the use of each process (Insufficient Permissions)" in gpus({})[0].text
        nvml.script(f"gpu\nprocess 1234567\nmig {SLICE} 1 0 2 20480")
        assert "share=" not in gpus({"CUDA_VISIBLE_DEVICES": SLICE})[0].text
        nvml.script("gpu\nprocess 1234567\nerror nvmlDeviceGetComputeRunningProcesses_v3 4")
        assert "Other processes" not in gpus({})[0].text

    def test_a_driver_that_sees_none_or_refuses_says_so(self, nvml, monkeypatch):
        nvml.script("gpu\nerror nvmlDeviceGetHandleByIndex_v2 15")
        assert [finding.command for finding in gpus({})] == ["nvidia-smi"]
        monkeypatch.delattr(sys.modules["pynvml"], "nvmlDeviceGetCount")  # of another distribution
        [finding] = gpus({})
        assert (finding.state, finding.command) == ("missing", "nvidia-smi")

    def test_a_machine_without_one_is_not_told_to_install_a_driver(self, no_nvml, tmp_path):
        [finding] = gpus({}, tmp_path)
        assert (finding.state, finding.command) == ("missing", None)
        assert finding.text.startswith("None. ")

    def test_one_on_the_bus_without_a_driver_is(self, no_nvml, tmp_path):
        for name, vendor, kind in (("0", "0x8086", "0x030000"), ("1", "0x10de", "0x030200")):
            (tmp_path / name).mkdir()
            (tmp_path / name / "vendor").write_text(f"{vendor}\n")
            (tmp_path / name / "class").write_text(f"{kind}\n")
        (tmp_path / "2").mkdir()

        [finding] = gpus({}, tmp_path)

        assert "There is one on the PCI bus" in finding.text
        assert finding.command in {"sudo modprobe nvidia", "nvidia-smi"}  # the latter in a container

    def test_a_missing_binding_can_be_installed(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "pynvml", None)
        assert [finding.command for finding in gpus({})] == ["pip install nvidia-ml-py"]


class TestProcessors:
    def test_counters_are_named_by_zone(self, tmp_path):
        tree = RaplTree(tmp_path)
        tree.add("intel-rapl:0", "package-0")
        tree.add("intel-rapl:0:0", "dram")

        findings = processors(tmp_path, environ={})

        assert [only(findings, name).state for name in ("cpu:package-0", "dram:package-0")] == ["measured"] * 2
        assert about(findings, "CPU") == []
        assert about(findings, "DRAM") == []

    def test_counters_only_for_root_come_with_the_exact_remedy(self):
        with tempfile.TemporaryDirectory() as name:  # that of a test may be entered by its owner only
            folder = Path(name)
            folder.chmod(0o755)
            tree = RaplTree(folder)
            tree.add("intel-rapl:0", "package-0")
            tree.counter("intel-rapl:0").chmod(0o400 if os.geteuid() == 0 else 0)
            (folder / "cpuinfo").write_text("flags\t\t: fpu hypervisor\n")  # a virtual machine that has the counters
            with as_nobody():
                findings = processors(folder, folder / "cpuinfo", {})

        missing = only(findings, "CPU and DRAM")
        assert missing.state == "missing"
        assert missing.command == f"sudo chmod -R a+r {folder}/intel-rapl"
        assert only(findings, "CPU").state == "modelled"

    def test_a_counter_that_does_not_answer_says_why(self, tmp_path):
        tree = RaplTree(tmp_path)
        tree.add("intel-rapl:0", "package-0")
        tree.add("intel-rapl:1", "package-1")
        tree.counter("intel-rapl:1").write_text("nonsense")

        lost = only(processors(tmp_path, environ={}), "cpu:package-1")

        assert lost.state == "missing"
        assert "cannot be read" in lost.text

    def test_without_counters_a_model_stands_in_and_says_on_what(self, tmp_path):
        cpuinfo = tmp_path / "cpuinfo"
        cpuinfo.write_text("model name\t: AMD EPYC 7742 64-Core Processor\nsiblings\t: 64\ncpu cores\t: 64\n")

        findings = processors(tmp_path / "none", cpuinfo, {}, [])

        assert only(findings, "CPU and DRAM").command == "sudo modprobe intel_rapl_msr"
        model = only(findings, "CPU")
        assert model.details["model"] == "AMD EPYC 7742 64-Core Processor"
        assert model.details["tdp_watts"] == pytest.approx(225 / 64 * psutil.cpu_count())
        assert "its maker's specification" in model.text
        assert only(findings, "DRAM").state == "missing"

    def test_a_virtual_machine_is_not_told_to_load_a_module(self, tmp_path):
        cpuinfo = tmp_path / "cpuinfo"
        cpuinfo.write_text("flags\t\t: fpu hypervisor lahf_lm\n")

        findings = processors(tmp_path / "none", cpuinfo, {})

        assert only(findings, "CPU and DRAM").command is None
        assert "virtual machine" in only(findings, "CPU and DRAM").text
        assert "a processor without a known name" in only(findings, "CPU").text
        assert "the median of common models" in only(findings, "CPU").text

    def test_a_container_is_told_how_to_see_the_counters(self, tmp_path):
        (tmp_path / ".dockerenv").touch()

        findings = processors(tmp_path / "none", tmp_path / "cpuinfo", {}, [tmp_path / ".dockerenv"])

        command = only(findings, "CPU and DRAM").command
        assert command == "docker run --security-opt systempaths=unconfined ..."

    def test_a_node_that_the_job_has_a_part_of_is_said_to_be_shared(self, tmp_path, monkeypatch):
        monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 64)

        shared = only(processors(tmp_path, tmp_path / "cpuinfo", {"SLURM_CPUS_ON_NODE": "1"}), "Shared node")

        assert (shared.state, shared.command) == ("attention", "sbatch --exclusive")
        assert shared.details == {"cpus": 1.0, "host_cpus": 64}
        elsewhere = only(processors(tmp_path, tmp_path / "cpuinfo", {}), "Shared node")
        assert elsewhere.command is None

    def test_a_quota_counts_as_a_share(self, tmp_path, monkeypatch):
        from green_callbacks.sources.job import allotment as _allotment
        from green_callbacks.sources.job.cgroup import Quota

        monkeypatch.setattr(_allotment, "quota", lambda: Quota(0.5, tmp_path))
        assert only(processors(tmp_path, tmp_path / "cpuinfo", {}), "Shared node").details["cpus"] == 0.5

    def test_a_system_that_tells_nothing_is_not_modelled(self, tmp_path, monkeypatch):
        def refuse(*_, **__):
            raise OSError

        monkeypatch.setattr(psutil, "cpu_times", refuse)
        monkeypatch.setattr(psutil, "cpu_count", refuse)

        findings = processors(tmp_path, tmp_path / "cpuinfo", {})

        assert only(findings, "CPU").state == "missing"
        assert about(findings, "Shared node") == []


class TestSoftware:
    @pytest.fixture
    def installed(self, monkeypatch):
        """Say what is installed, by distribution and version."""

        def say(**versions):
            def version(name):
                try:
                    return versions[name.replace("-", "_")]
                except KeyError as missing:
                    raise metadata.PackageNotFoundError(name) from missing

            monkeypatch.setattr(metadata, "version", version)

        return say

    def test_each_framework_says_what_to_import(self, installed):
        installed(
            lightning="2.6.1", pytorch_lightning="2.5", keras="3.9.0", transformers="5.24.0", pytorch_ignite="0.5.3"
        )

        texts = [finding.text for finding in about(software(), "Framework")]

        assert texts == [
            "lightning 2.6.1 is installed. Use EmissionsMonitor from green_callbacks.lightning.",
            "pytorch-lightning 2.5 is installed. Use EmissionsMonitor from green_callbacks.pytorch_lightning.",
            "keras 3.9.0 is installed. Use EmissionsMonitor from green_callbacks.keras.",
            "transformers 5.24.0 is installed. Use EmissionsMonitor from green_callbacks.transformers.",
            "pytorch-ignite 0.5.3 is installed. Use EmissionsMonitor from green_callbacks.ignite.",
        ]

    def test_without_a_framework_there_is_the_accountant(self, installed):
        installed()
        assert "use EnergyAccountant from green_callbacks" in only(software(), "Framework").text

    def test_a_framework_that_is_too_old_comes_with_the_remedy(self, installed):
        installed(keras="2.15.0")
        assert only(software(), "Framework").command == "pip install 'keras>=3.0'"

    def test_nvidias_own_pynvml_is_in_nobodys_way(self):
        assert about(software(), "pynvml") == []

    def test_another_module_of_that_name_is(self, monkeypatch, tmp_path):
        (tmp_path / "pynvml.py").write_text("")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "pynvml", raising=False)

        shadow = only(software(), "pynvml")

        assert str(tmp_path / "pynvml.py") in shadow.text
        assert "pip uninstall -y pynvml" in shadow.command

    def test_a_module_that_nobody_knows_the_origin_of_is_passed_over(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "pynvml", type(sys)("pynvml"))  # a stand-in: it has no spec
        assert about(software(), "pynvml") == []


class TestAccount:
    def test_a_guessed_place_comes_with_the_variable_that_settles_it(self, tmp_path):
        by_zone = only(account({"TZ": "Europe/Berlin"}, tmp_path, tmp_path), "Location")
        by_world = only(account({}, tmp_path, tmp_path), "Location")

        assert (by_zone.state, by_zone.command) == ("guessed", "export GREEN_CALLBACKS_LOCATION=DE")
        assert "Germany (DE)" in by_zone.text
        assert "time zone" in by_zone.text
        assert by_world.details["found_by"] == "world average"

    def test_a_place_that_was_told_is_known(self, tmp_path):
        findings = account({"GREEN_CALLBACKS_LOCATION": "FR", "GREEN_CALLBACKS_PUE": "1.3"}, tmp_path, tmp_path)

        assert (only(findings, "Location").state, only(findings, "Location").command) == ("known", None)
        assert only(findings, "Location").details["zone"] == "FR"
        assert only(findings, "PUE").text == "1.30 (environment (GREEN_CALLBACKS_PUE))."
        assert [finding.details["name"] for finding in about(findings, "Environment")] == [
            "GREEN_CALLBACKS_LOCATION",
            "GREEN_CALLBACKS_PUE",
        ]

    def test_variables_that_cannot_work_are_said_to_be_wrong(self, tmp_path):
        findings = account({"GREEN_CALLBACKS_LOCATION": "Atlantis", "GREEN_CALLBACKS_PUE": "12"}, tmp_path, tmp_path)

        assert (only(findings, "Location").state, only(findings, "PUE").state) == ("attention", "attention")
        assert only(findings, "PUE").command == "unset GREEN_CALLBACKS_PUE"

    def test_a_variable_that_there_is_not_is_named_but_not_its_value(self, tmp_path):
        finding = only(account({"GREEN_CALLBACKS_TOKEN": "secret"}, tmp_path, tmp_path), "Environment")

        assert (finding.state, finding.command) == ("attention", "unset GREEN_CALLBACKS_TOKEN")
        assert "secret" not in repr(finding)

    def test_a_token_is_known_and_never_shown(self, tmp_path):
        finding = only(account({"GREEN_CALLBACKS_ELECTRICITY_MAPS_TOKEN": "secret"}, tmp_path, tmp_path), "Environment")

        assert finding.state == "known"
        assert "secret" not in repr(finding)

    @pytest.mark.parametrize(
        ("value", "state"),
        [
            ("1", "attention"),
            ("Yes", "attention"),
            ("maybe", "attention"),
            ("0", "known"),
            ("false", "known"),
            ("", "known"),
        ],
    )
    def test_a_run_that_would_not_be_measured_is_pointed_out(self, tmp_path, value, state):
        assert only(account({"GREEN_CALLBACKS_DISABLE": value}, tmp_path, tmp_path), "Environment").state == state

    def test_the_ledgers_folder_is_said_and_not_made(self, tmp_path):
        finding = only(account({}, tmp_path, tmp_path), "Ledger")

        assert finding.state == "known"
        assert finding.details == {"folder": str(tmp_path / "green-callbacks"), "is_writable": True}
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_that_cannot_be_written_is_said_to_be_so(self, tmp_path, monkeypatch):
        monkeypatch.setattr(os, "access", lambda *_: False)  # for root, who may write everywhere

        finding = only(account({}, tmp_path, tmp_path), "Ledger")

        assert finding.state == "attention"
        assert finding.command == f"chmod u+rwx {tmp_path}"
        assert finding.details["is_writable"] is False

    def test_a_file_in_the_place_of_the_folder_is_too(self, tmp_path):
        (tmp_path / "green-callbacks").write_text("")
        assert only(account({}, tmp_path, tmp_path), "Ledger").state == "attention"
