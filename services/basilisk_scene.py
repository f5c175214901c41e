"""The comparison's other side: the same kind of scene in Basilisk, where it is installed.

Per satellite: point-mass orbit (RK4), eclipse by the conical shadow, one solar panel, a power
sink, a battery and one thermal node; no radiation, because Basilisk has no model of it. Run as a
batch, which is its fastest way: nothing is read out between steps. (Basilisk: Kenneally, Piggott
& Schaub 2020, AIAA J. Aerospace Information Systems 17(9).)
"""

import importlib.util
import math
import statistics
import time
from typing import Any, Final

EARTH_GM_M3_S2: Final = 3.986004418e14  # WGS84
RADIUS_M: Final = 6_378_137.0 + 650_000.0  # a dawn-dusk fleet's height
SUN_M: Final = 1.496e11


def is_installed() -> bool:
    """True where the package `bsk` is importable."""
    return importlib.util.find_spec("Basilisk") is not None


def sat_steps_per_s(count: int, steps: int, repeats: int) -> float:
    """Satellite-steps per second of wall time at 1 s steps: median of repeats after one warm-up."""
    simulation, scene = _scene(count)
    simulation.InitializeSimulation()
    speeds, stop_s = [], 0
    for repeat in range(repeats + 1):
        stop_s += steps
        simulation.ConfigureStopTime(int(stop_s * 1e9))
        begin_s = time.perf_counter()
        simulation.ExecuteSimulation()
        if repeat:
            speeds.append(count * steps / (time.perf_counter() - begin_s))
    assert scene  # the modules must outlive the run
    return statistics.median(speeds)


def _scene(count: int) -> tuple[Any, list[Any]]:
    from Basilisk.architecture import messaging
    from Basilisk.simulation import eclipse
    from Basilisk.utilities import SimulationBaseClass

    simulation = SimulationBaseClass.SimBaseClass()
    process = simulation.CreateNewProcess("process")
    process.addTask(simulation.CreateNewTask("task", int(1e9)))
    sun, earth = messaging.SpicePlanetStateMsgPayload(), messaging.SpicePlanetStateMsgPayload()
    sun.PlanetName, earth.PlanetName = "sun", "earth"
    sun.PositionVector = [SUN_M, 0.0, 0.0]
    messages = [messaging.SpicePlanetStateMsg().write(one) for one in (sun, earth)]
    shadow = eclipse.Eclipse()
    shadow.sunInMsg.subscribeTo(messages[0])
    shadow.addPlanetToModel(messages[1])
    kept: list[Any] = [shadow, *messages]
    craft = []
    for index in range(count):
        one, gravity = _spacecraft(index, count)
        shadow.addSpacecraftToModel(one.scStateOutMsg)
        simulation.AddModelToTask("task", one)
        craft.append(one)
        kept += [one, gravity]
    simulation.AddModelToTask("task", shadow)
    for index, one in enumerate(craft):
        for module in _plant(one, messages[0], shadow.eclipseOutMsgs[index]):
            simulation.AddModelToTask("task", module)
            kept.append(module)
    return simulation, kept


def _spacecraft(index: int, count: int) -> tuple[Any, Any]:
    from Basilisk.simulation import spacecraft
    from Basilisk.utilities import simIncludeGravBody

    one = spacecraft.Spacecraft()
    one.ModelTag = f"satellite{index}"
    factory = simIncludeGravBody.gravBodyFactory()
    planet = factory.createEarth()
    planet.isCentralBody = True
    factory.addBodiesTo(one)
    angle, speed = math.tau * index / count, math.sqrt(EARTH_GM_M3_S2 / RADIUS_M)
    one.hub.mHub = 575.0
    one.hub.r_CN_NInit = [RADIUS_M * math.cos(angle), RADIUS_M * math.sin(angle), 0.0]
    one.hub.v_CN_NInit = [-speed * math.sin(angle), speed * math.cos(angle), 0.0]
    return one, factory


def _plant(one: Any, sun: Any, light: Any) -> list[Any]:
    from Basilisk.simulation import (
        sensorThermal,
        simpleBattery,
        simplePowerSink,
        simpleSolarPanel,
    )

    panel = simpleSolarPanel.SimpleSolarPanel()
    panel.setPanelParameters([1.0, 0.0, 0.0], 105.0, 0.22)
    sink = simplePowerSink.SimplePowerSink()
    sink.nodePowerOut = -17e3
    battery = simpleBattery.SimpleBattery()
    battery.storageCapacity, battery.storedCharge_Init = 9e3 * 3600.0, 8e3 * 3600.0
    node = sensorThermal.SensorThermal()
    node.T_0, node.nHat_B = 20.0, [1.0, 0.0, 0.0]
    node.sensorArea, node.sensorAbsorptivity, node.sensorEmissivity = 1.0, 0.25, 0.34
    node.sensorMass, node.sensorSpecificHeat = 2.0, 890.0
    for module in (panel, node):
        module.stateInMsg.subscribeTo(one.scStateOutMsg)
        module.sunInMsg.subscribeTo(sun)
        module.sunEclipseInMsg.subscribeTo(light)
    battery.addPowerNodeToModel(panel.nodePowerOutMsg)
    battery.addPowerNodeToModel(sink.nodePowerOutMsg)
    return [panel, sink, battery, node]
