# pragma version 0.4.3
"""
@title File index
@notice Which contract tracks the file of a name, for when the address attached to the file is lost (thesis, 7.3.1).
"""

event Registered:
    key: indexed(bytes32)
    uri: String[256]
    tracking: address

owners: public(HashMap[address, bool])
tracking: HashMap[bytes32, address]


@deploy
def __init__():
    self.owners[msg.sender] = True


@external
def register(uri: String[256], tracking: address):
    """
    @notice A name has a contract from now on; the zero address where it has none any more.
    """
    assert self.owners[msg.sender], "not an owner"
    self.tracking[keccak256(uri)] = tracking
    log Registered(key=keccak256(uri), uri=uri, tracking=tracking)


@external
@view
def lookup(uri: String[256]) -> address:
    """
    @notice The contract of a name, or the zero address.
    """
    return self.tracking[keccak256(uri)]
