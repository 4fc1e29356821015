"""Numbers of the row machine's operations and operand kinds, and the layout of its instructions.

An instruction is a row of `WORDS` integers: the operation, then three integers each for the target and four operands.

| kind | second integer | third integer |
|---|---|---|
| `REGISTER` | table that is a strip of scratch memory | 0 |
| `SHARED` | table that all trades share | column of the row numbers that says which row is the trade's, -1 for row 0 |
| `TILE` | table with a row for each trade of the run | 0 |
| `NUMBER` | column of the numbers, one a trade | 0 |
| `SPREAD` | the same, written out over a strip first: for operations that take strips only | 0 |
| `PLACE` | column of the row numbers where an operation's own begin | column of the numbers where its own begin |
"""

TARGET, A, B, C, D = range(1, 16, 3)
WORDS = 16
REGISTER, SHARED, TILE, NUMBER, SPREAD, PLACE = range(6)
SPREADS = 4  # rows of the scratch memory that numbers are spread over, one an operand

# each of the first four takes two strips; the two codes after it a strip and a number, and a number and a strip
ADD, SUBTRACT, MULTIPLY, DIVIDE = range(0, 12, 3)
MAXIMUM, MINIMUM, FMAX, FMIN, AND, OR, XOR = range(12, 19)
EQUAL, NOT_EQUAL, LESS, LESS_EQUAL, GREATER, GREATER_EQUAL = range(19, 25)
NEGATIVE, POSITIVE, ABSOLUTE, SQRT, SQUARE, NOT, IS_NAN, IS_FINITE, WHERE = range(25, 34)
EXP, LOG, NORM_CDF, NORM_PDF = range(34, 38)
# BLACK_ROW : strike and flag are numbers
BLACK, BLACK_ROW, BACHELIER = range(38, 41)
# NODES, DISCOUNT : B is the panel, C says how many nodes, D where the trade's node rows and weights begin
# SURFACE : A is the moneyness; B and C are the first strikes of both expiries; D says where the position and size of
# the trade's grid begin, and the weights of the expiries
# TICK : A is the value, counted in ticks against the trade's base value
NODES, DISCOUNT, SURFACE, TICK = range(41, 45)
