"""System files of machines as their kernels show them, and a stand-in for NVML."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

STAT = "cpu  {user} 0 0 {idle} 0 0 0 {steal} 70 0\ncpu0 1 2 3 4 5 6 7 8 0 0\nintr 1\n"

SHUNTS = {"in4_input": "1240\n", "in7_input": "3200\n", "in7_label": "sum of shunt voltages\n", "curr4_input": "1600\n"}
"""What an INA3221 shows behind its three channels."""


def ina3221(folder: str, *channels: tuple[str, int, int]) -> dict[str, str]:
    """A monitor of rails: label, millivolts and milliamperes of each channel."""
    files = {"name": "ina3221\n", **SHUNTS}
    for number, (label, millivolts, milliamperes) in enumerate(channels, start=1):
        files[f"in{number}_label"] = f"{label}\n"
        files[f"in{number}_input"], files[f"curr{number}_input"] = f"{millivolts}\n", f"{milliamperes}\n"
    return {f"sys/class/hwmon/{folder}/{name}": text for name, text in files.items()}


ORIN_NANO = {
    **ina3221("hwmon1", ("VDD_IN", 5016, 1500), ("VDD_CPU_GPU_CV", 5016, 400), ("VDD_SOC", 5016, 300)),
    "sys/class/hwmon/hwmon0/name": "pwmfan\n",
    "sys/class/hwmon/hwmon3/name": "soctherm_oc\n",
    "sys/class/hwmon/hwmon3/oc1_event_cnt": "0\n",
    "sys/class/hwmon/hwmon3/oc1_throt_en": "1\n",
    "sys/class/hwmon/hwmon3/oc3_event_cnt": "27390\n",
    "sys/class/devfreq/17000000.gpu/cur_freq": "612000000\n",
    "sys/class/devfreq/17000000.gpu/max_freq": "1020000000\n",
    "sys/class/devfreq/17000000.gpu/device/load": "735\n",
    "sys/class/devfreq/15340000.vic/cur_freq": "435200000\n",
    "sys/kernel/debug/bpmp/debug/clk/emc/rate": "3199000000\n",
    "sys/kernel/debug/bpmp/debug/clk/emc/max_rate": "3199000000\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq": "729600\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq": "1728000\n",
    "sys/devices/system/cpu/cpufreq/policy4/scaling_cur_freq": "1728000\n",
    "sys/devices/system/cpu/cpufreq/policy4/scaling_max_freq": "1728000\n",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "50125\n",
    "sys/class/thermal/thermal_zone1/type": "gpu-thermal\n",
    "sys/class/thermal/thermal_zone1/temp": "51343\n",
    "sys/class/thermal/thermal_zone2/type": "cv0-thermal\n",  # its temp gives an error: the engine is switched off
    "sys/class/thermal/thermal_zone8/type": "tj-thermal\n",
    "sys/class/thermal/thermal_zone8/temp": "51343\n",
    "sys/class/thermal/cooling_device0/type": "pwm-fan\n",
    "sys/class/thermal/cooling_device0/cur_state": "3\n",
    "sys/class/thermal/cooling_device1/type": "cpu-throttle-alert\n",
    "sys/class/thermal/cooling_device1/cur_state": "0\n",
    "sys/class/thermal/cooling_device2/type": "hot-surface-alert\n",
    "sys/class/thermal/cooling_device2/cur_state": "1\n",
    "sys/class/thermal/cooling_device3/type": "devfreq-17000000.gpu\n",
    "sys/class/thermal/cooling_device3/cur_state": "0\n",
    "proc/loadavg": "2.04 1.56 1.67 4/98 21929\n",
    "proc/stat": STAT.format(user=1000, idle=9000, steal=0),
}

AGX_ORIN = {
    **ina3221("hwmon3", ("VDD_GPU_SOC", 20000, 400), ("VDD_CPU_CV", 20000, 200), ("VIN_SYS_5V0", 5000, 1000)),
    **ina3221("hwmon4", ("NC", 0, 0), ("VDDQ_VDD2_1V8AO", 4968, 200), ("NC", 0, 0)),
    "sys/class/devfreq/17000000.ga10b/cur_freq": "1300500000\n",
}

THOR_MODULE = {
    **ina3221("hwmon5", ("VDD_GPU", 12040, 640), ("VDD_CPU_SOC_MSS", 12040, 960), ("VIN_SYS_5V0", 5088, 1740)),
    "sys/class/devfreq/gpu-gpc-0/cur_freq": "1575000000\n",
    "sys/class/devfreq/gpu-gpc-0/max_freq": "1575000000\n",
    "sys/class/devfreq/gpu-nvd-0/cur_freq": "1692000000\n",
    "sys/class/devfreq/bwmgr/cur_freq": "4266000000\n",
    "sys/class/devfreq/bwmgr/max_freq": "4266000000\n",
}

THOR = {
    **THOR_MODULE,
    "sys/class/hwmon/hwmon2/name": "ina238\n",
    "sys/class/hwmon/hwmon2/label": "VIN\n",
    "sys/class/hwmon/hwmon2/in1_input": "19800\n",
    "sys/class/hwmon/hwmon2/curr1_input": "1500\n",
    "sys/class/hwmon/hwmon2/power1_input": "29700000\n",
}

DESKTOP = {
    "sys/class/powercap/intel-rapl/enabled": "1\n",
    "sys/class/powercap/intel-rapl:0/name": "package-0\n",
    "sys/class/powercap/intel-rapl:0/energy_uj": "1000000\n",
    "sys/class/powercap/intel-rapl:0/max_energy_range_uj": "262143328850\n",
    "sys/class/powercap/intel-rapl:0:0/name": "core\n",
    "sys/class/powercap/intel-rapl:0:0/energy_uj": "7000000\n",
    "sys/class/powercap/intel-rapl:0:0/max_energy_range_uj": "262143328850\n",
    "sys/class/powercap/intel-rapl:1/name": "psys\n",
    "sys/class/powercap/intel-rapl:1/energy_uj": "9000000\n",
    "sys/class/powercap/intel-rapl:1/max_energy_range_uj": "262143328850\n",
    "sys/class/powercap/intel-rapl-mmio:0/name": "package-0\n",
    "sys/class/powercap/intel-rapl-mmio:0/energy_uj": "1000000\n",
    "sys/class/hwmon/hwmon0/name": "nvme\n",
    "sys/class/hwmon/hwmon0/temp1_label": "Composite\n",
    "sys/class/hwmon/hwmon0/temp1_input": "60000\n",
    "sys/class/hwmon/hwmon1/name": "coretemp\n",
    "sys/class/hwmon/hwmon1/temp1_label": "Package id 0\n",
    "sys/class/hwmon/hwmon1/temp1_input": "71000\n",
    "sys/class/hwmon/hwmon1/temp2_label": "Core 0\n",
    "sys/class/hwmon/hwmon1/temp2_input": "70000\n",
    "sys/class/thermal/thermal_zone0/type": "x86_pkg_temp\n",
    "sys/class/thermal/thermal_zone0/temp": "71000\n",
    "sys/class/thermal/thermal_zone1/type": "x86_pkg_temp\n",
    "sys/class/thermal/thermal_zone1/temp": "66000\n",
    "sys/class/thermal/thermal_zone2/type": "iwlwifi_1\n",
    "sys/class/thermal/thermal_zone2/temp": "45000\n",
    "sys/class/thermal/cooling_device0/type": "Processor\n",
    "sys/class/thermal/cooling_device0/cur_state": "0\n",
    "sys/class/thermal/cooling_device1/type": "Processor\n",
    "sys/class/thermal/cooling_device1/cur_state": "0\n",
    "sys/class/thermal/cooling_device2/type": "intel_powerclamp\n",
    "sys/class/thermal/cooling_device2/cur_state": "-1\n",
    "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "4\n",
    "sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count": "9\n",
    "sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count": "0\n",
    "sys/devices/system/cpu/cpu1/thermal_throttle/package_throttle_count": "9\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq": "4900000\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq": "5200000\n",
}

EPYC = {
    f"sys/class/powercap/intel-rapl:{number}/{name}": text
    for number in (0, 1)
    for name, text in {
        "name": f"package-{number}\n",
        "energy_uj": "500000\n",
        "max_energy_range_uj": "65532610987\n",
    }.items()
} | {
    "sys/class/hwmon/hwmon0/name": "k10temp\n",
    "sys/class/hwmon/hwmon0/temp1_label": "Tctl\n",
    "sys/class/hwmon/hwmon0/temp1_input": "55250\n",
    "sys/class/hwmon/hwmon1/name": "k10temp\n",
    "sys/class/hwmon/hwmon1/temp1_label": "Tctl\n",
    "sys/class/hwmon/hwmon1/temp1_input": "58750\n",
}

CLOUD = {"proc/loadavg": "0.50 0.4 0.3 1/90 7\n", "proc/stat": STAT.format(user=100, idle=800, steal=100)}


NVML_SENSORS = (
    *("nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetPowerUsage"),
    *("nvmlDeviceGetClockInfo", "nvmlDeviceGetMaxClockInfo", "nvmlDeviceGetUtilizationRates"),
    *("nvmlDeviceGetTemperatureV", "nvmlDeviceGetTemperature"),
    *("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"),
)


class NvmlError(Exception):
    """The binding's error."""


class FakeNvml:
    """The module ``pynvml`` on a machine with GPUs.

    Args:
        gpus: PCI addresses, in NVML's order.
        lacks: Names of functions that the binding does not have.
        refuses: Names of functions that the GPU does not support.
        starts: The driver's library is there.
    """

    NVMLError = NvmlError

    def __init__(
        self,
        gpus: Iterable[str] = ("0000:01:00.0",),
        *,
        lacks: Iterable[str] = (),
        refuses: Iterable[str] = (),
        starts: bool = True,
    ) -> None:
        self._gpus, self._lacks, self._refuses = list(gpus), set(lacks), set(refuses)
        self._starts, self._started = starts, False
        self.addresses: list[str] = []
        self.millijoules = 1_000_000
        self.milliwatts = 70_000
        self.megahertz = 1410
        self.percent = 93
        self.degrees = 61
        self.reasons = 0x1

    def nvmlInit(self) -> None:
        if not self._starts:
            raise NvmlError
        self._started = True

    def nvmlDeviceGetCount(self) -> int:
        return len(self._gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:
        assert self._started
        return self._gpus[index]

    def nvmlDeviceGetHandleByPciBusId(self, pciBusId: str) -> str:
        assert self._started
        self.addresses.append(pciBusId)
        if pciBusId not in self._gpus:
            raise NvmlError
        return pciBusId

    def refuse(self, *names: str) -> None:
        """Support no longer, from now on."""
        self._refuses.update(names)

    def __getattr__(self, name: str) -> Any:
        answers: dict[str, Any] = {
            "nvmlDeviceGetTotalEnergyConsumption": lambda: self.millijoules,
            "nvmlDeviceGetPowerUsage": lambda: self.milliwatts,
            "nvmlDeviceGetClockInfo": lambda kind: {1: self.megahertz}[kind],
            "nvmlDeviceGetMaxClockInfo": lambda kind: {1: 1980}[kind],
            "nvmlDeviceGetTemperatureV": lambda sensor: {0: self.degrees}[sensor],
            "nvmlDeviceGetTemperature": lambda sensor: {0: self.degrees}[sensor],
            "nvmlDeviceGetUtilizationRates": lambda: SimpleNamespace(gpu=self.percent, memory=10),
            "nvmlDeviceGetCurrentClocksEventReasons": lambda: self.reasons,
            "nvmlDeviceGetCurrentClocksThrottleReasons": lambda: self.reasons,
        }
        if name not in answers or name in self._lacks:
            raise AttributeError(name)

        def ask(handle: str, *arguments: int) -> Any:
            assert handle in self._gpus
            if name in self._refuses:
                raise NvmlError
            return answers[name](*arguments)

        return ask
