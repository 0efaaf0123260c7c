# pragma version 0.4.3
"""
@title File tracking
@notice What was done to one file, entry by entry; nothing is ever changed or removed (thesis, Table 7.1).
@dev Hashes and block locations are computed where the file is. Of the locations, the storage has their hash and the
     log the list itself, so that an operation costs the same however large the file is.
"""

struct Entry:
    hash: bytes32
    locations: bytes32
    user: bytes32
    time: uint64
    kind: uint8

event Operation:
    hash: indexed(bytes32)
    time: indexed(uint64)
    kind: uint8
    user: bytes32
    uri: String[256]
    locations: String[16384]

CREATE: constant(uint8) = 0
DELETE: constant(uint8) = 3

owners: public(HashMap[address, bool])
created: public(immutable(uint64))
lastOperation: public(uint64)
currentHash: public(bytes32)
currentURI: public(String[256])
retainUntil: public(uint64)
operations: public(uint256)
entries: public(HashMap[uint256, Entry])


@deploy
def __init__(uri: String[256], hash: bytes32, time: uint64, user: bytes32, locations: String[16384]):
    created = time
    self.owners[msg.sender] = True
    self._append(CREATE, uri, hash, time, user, locations)


@internal
def _onlyBy():
    assert self.owners[msg.sender], "not an owner"


@internal
def _append(kind: uint8, uri: String[256], hash: bytes32, time: uint64, user: bytes32, locations: String[16384]):
    self.entries[self.operations] = Entry(
        hash=hash, locations=keccak256(locations), user=user, time=time, kind=kind
    )
    self.operations += 1
    self.lastOperation = time
    self.currentHash = hash
    if self.currentURI != uri:
        self.currentURI = uri
    log Operation(hash=hash, time=time, kind=kind, user=user, uri=uri, locations=locations)


@external
def fileOperation(kind: uint8, uri: String[256], hash: bytes32, time: uint64, user: bytes32, locations: String[16384]):
    """
    @notice Keep that the file was changed (1), renamed (2) or deleted (3).
    @dev Times go on; a deleted file stays so, and none is deleted before its time.
    """
    self._onlyBy()
    assert kind > CREATE and kind <= DELETE, "unknown operation"
    assert time >= self.lastOperation, "time goes on"
    assert self.entries[self.operations - 1].kind != DELETE, "deleted"
    if kind == DELETE:
        assert time >= self.retainUntil, "to be retained"
    self._append(kind, uri, hash, time, user, locations)


@external
def retain(until: uint64):
    """
    @notice Not to be deleted before this time, which can be put off and not brought forward.
    """
    self._onlyBy()
    assert until >= self.retainUntil, "to be retained"
    self.retainUntil = until


@external
def grant(owner: address):
    """
    @notice Let a wallet write here, too.
    """
    self._onlyBy()
    self.owners[owner] = True


@external
def revoke(owner: address):
    """
    @notice Let a wallet, but not one's own, write here no longer.
    """
    self._onlyBy()
    assert owner != msg.sender, "one owner stays"
    self.owners[owner] = False


@external
@view
def validate(hash: bytes32) -> bool:
    """
    @notice Whether this is the file as it should be now.
    """
    return hash == self.currentHash


@external
@view
def getEntryAtTime(time: uint64) -> Entry:
    """
    @notice The operation that made the file what it was at a time.
    """
    assert time >= created, "before the file"
    low: uint256 = 0
    high: uint256 = self.operations
    for _: uint256 in range(256):
        if high - low <= 1:
            break
        middle: uint256 = (low + high) // 2
        if self.entries[middle].time <= time:
            low = middle
        else:
            high = middle
    return self.entries[low]
