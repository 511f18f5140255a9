"""The numbers of the protocol: groups, commands, and what an error says."""

PROTOCOL = (1, 1)
"""The oldest and the newest protocol that this side speaks."""

# Groups
OS = 0
FILE = 8
EDGE = 64

# Commands of the groups OS and FILE
ECHO = 0
RESET = 5
PARAMETERS = 6
FILE_DATA = 0
FILE_STATUS = 1
FILE_HASH = 2

# Commands of the group EDGE
HELLO = 0
DICTIONARY = 1
OPEN = 2
SETTLE = 3
LEASE = 4
STOP = 5
SET = 6
READ_VALUE = 7
MOVE = 8
HOME = 9
JOB = 10
WATCH = 11
READINGS = 12
CLOCK = 13
CLEAR = 14
CONFIGURE = 15
UPDATE = 16
CONFIRM = 17

# Errors of the group EDGE
NO_COMMAND = 1
NO_SESSION = 2
HELD = 3
OLD = 4
NO_NAME = 5
RANGE = 6
NO_LEASE = 7
FAULT = 8
NOT_HOMED = 9
BUSY = 10
NO_JOB = 11
CONFIG = 12
HARDWARE = 13
NO_PROTOCOL = 14
NOT_AS_ANNOUNCED = 15
