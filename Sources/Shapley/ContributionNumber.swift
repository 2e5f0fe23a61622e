import CForestKernels

/// What contributions of leaves are added up in: doubles, or integers in fixed point.
///
/// Sums of integers do not depend on their order. They may wrap on the way, since only the last ones must fit.
protocol ContributionNumber: Sendable {
    static var zero: Self { get }

    /// Which leaves have wide tables.
    static func wide(playerCount: Int, instructions: Instructions) -> cfk_wide

    /// Writes the table of a leaf's players from their contributions for `count` masks.
    static func fill(
        _ table: UnsafeMutablePointer<Self>, from contributions: UnsafePointer<Double>, count: Int, scale: Double,
        players: ArraySlice<UInt32>, wide: cfk_wide, instructions: Instructions)

    /// Writes contributions as they are summed.
    static func round(
        _ numbers: UnsafeMutablePointer<Self>, from contributions: UnsafePointer<Double>, count: Int, scale: Double,
        instructions: Instructions)

    /// Adds one number to a sum.
    static func add(_ number: Self, to sum: inout Self)

    /// Adds the contributions of consecutive leaves to the sums of a block of rows.
    static func add(
        _ leaves: Range<Int>, of paths: UnsafePointer<cfk_paths>, tables: UnsafePointer<Self>, starts: [UInt32],
        bins: UnsafePointer<UInt8>, wide: cfk_wide, to sums: UnsafeMutablePointer<Self>, instructions: Instructions)

    /// Adds a block's wide sums to its others.
    static func addWideSums(_ wide: cfk_wide, to sums: UnsafeMutablePointer<Self>)
}

extension cfk_wide {
    /// No table is wide.
    static func none(playerCount: Int) -> cfk_wide {
        cfk_wide(least_players: .max, width: 0, player_count: playerCount)
    }
}

extension Double: ContributionNumber {
    /// None: the order of a row's sums must not depend on the instructions.
    static func wide(playerCount: Int, instructions: Instructions) -> cfk_wide { .none(playerCount: playerCount) }

    static func fill(
        _ table: UnsafeMutablePointer<Double>, from contributions: UnsafePointer<Double>, count: Int, scale: Double,
        players: ArraySlice<UInt32>, wide: cfk_wide, instructions: Instructions
    ) {
        table.update(from: contributions, count: players.count * count)
    }

    static func round(
        _ numbers: UnsafeMutablePointer<Double>, from contributions: UnsafePointer<Double>, count: Int, scale: Double,
        instructions: Instructions
    ) {
        numbers.update(from: contributions, count: count)
    }

    static func add(_ number: Double, to sum: inout Double) { sum += number }

    static func add(
        _ leaves: Range<Int>, of paths: UnsafePointer<cfk_paths>, tables: UnsafePointer<Double>, starts: [UInt32],
        bins: UnsafePointer<UInt8>, wide: cfk_wide, to sums: UnsafeMutablePointer<Double>, instructions: Instructions
    ) {
        cfk_add_double(instructions.code, paths, leaves.lowerBound, leaves.count, tables, starts, bins, sums)
    }

    static func addWideSums(_ wide: cfk_wide, to sums: UnsafeMutablePointer<Double>) {}
}

extension Int32: ContributionNumber {
    /// From where one mask's whole row of numbers costs less than to look up each player's, as measured.
    static func wide(playerCount: Int, instructions: Instructions) -> cfk_wide {
        let (vectors, split) = ((playerCount + 15) / 16, Int(cfk_most_split_players(instructions.code)))
        let leastPlayers: Int? =
            switch (instructions, vectors) {
            case (.avx512, 1): Swift.max(8, split + 1)
            case (.avx512, ...4): Swift.max(9, split + 1)
            case (.avx2, 1): 6
            case (.avx2, ...4): 8
            case (.portable, 1): 4
            case (.portable, 2): 9
            default: nil
            }
        return leastPlayers.map { cfk_wide(least_players: $0, width: vectors * 16, player_count: playerCount) }
            ?? .none(playerCount: playerCount)
    }

    static func fill(
        _ table: UnsafeMutablePointer<Int32>, from contributions: UnsafePointer<Double>, count: Int, scale: Double,
        players: ArraySlice<UInt32>, wide: cfk_wide, instructions: Instructions
    ) {
        if players.count >= wide.least_players {
            cfk_round_wide(
                instructions.code, contributions, count, count, scale, Array(players), players.count, wide.width, table)
        } else {
            cfk_round_table(instructions.code, contributions, count, players.count, scale, table)
        }
    }

    static func round(
        _ numbers: UnsafeMutablePointer<Int32>, from contributions: UnsafePointer<Double>, count: Int, scale: Double,
        instructions: Instructions
    ) {
        cfk_round(instructions.code, contributions, count, scale, numbers)
    }

    static func add(_ number: Int32, to sum: inout Int32) { sum &+= number }

    static func add(
        _ leaves: Range<Int>, of paths: UnsafePointer<cfk_paths>, tables: UnsafePointer<Int32>, starts: [UInt32],
        bins: UnsafePointer<UInt8>, wide: cfk_wide, to sums: UnsafeMutablePointer<Int32>, instructions: Instructions
    ) {
        cfk_add_fixed(
            instructions.code, paths, leaves.lowerBound, leaves.count, tables, starts, bins, wide, sums)
    }

    static func addWideSums(_ wide: cfk_wide, to sums: UnsafeMutablePointer<Int32>) { cfk_add_wide_sums(wide, sums) }
}
