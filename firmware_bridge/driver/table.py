"""The drivers by name: module, class, bus, and each of its values as the dictionary is to tell it.

A sensor's ``read`` gives the value in its unit. Accuracies are those that the datasheets promise without calibration,
within the range where they do; there is none where they promise none.
"""

_CELSIUS = {"unit": "degC", "least": -40, "most": 85, "period_us": 100_000}
_LUX = {"unit": "lx", "least": 0, "period_us": 100_000}
_SHAKE = {"unit": "m/s2", "least": -19.6, "most": 19.6, "period_us": 5000, "accuracy": 0.8}
_TURN = {"unit": "deg/s", "least": -250, "most": 250, "period_us": 5000, "accuracy": 20}

DRIVERS = {
    "bme280": (
        "firmware_bridge.driver.bme280",
        "BME280",
        "i2c",
        {
            "temperature": dict(_CELSIUS, accuracy=1.0),
            "pressure": {"unit": "hPa", "least": 300, "most": 1100, "period_us": 100_000, "accuracy": 1.0},
            "humidity": {"unit": "%", "least": 0, "most": 100, "period_us": 100_000, "accuracy": 3.0},
        },
    ),
    "tsl2591": ("firmware_bridge.driver.tsl2591", "TSL2591", "i2c", {"light": dict(_LUX, most=88000)}),
    "veml7700": ("firmware_bridge.driver.veml7700", "VEML7700", "i2c", {"light": dict(_LUX, most=140_000)}),
    "ds18b20": (
        "firmware_bridge.driver.ds18b20",
        "DS18B20",
        "onewire",
        {"temperature": {"unit": "degC", "least": -55, "most": 125, "period_us": 1_000_000, "accuracy": 0.5}},
    ),
    "mpu6050": (
        "firmware_bridge.driver.mpu6050",
        "MPU6050",
        "i2c",
        {
            "acceleration_x": _SHAKE,
            "acceleration_y": _SHAKE,
            "acceleration_z": _SHAKE,
            "rotation_x": _TURN,
            "rotation_y": _TURN,
            "rotation_z": _TURN,
            "temperature": _CELSIUS,
        },
    ),
}
