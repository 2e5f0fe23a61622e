import CForestKernels

/// What contributions of leaves are added up in: doubles, or integers in fixed point.
///
/// Sums of integers do not depend on their order. They may wrap on the way, since only the last ones must fit.
protocol ContributionNumber: Sendable {
    static var zero: Self { get }

    /// Writes values as numbers of this kind.
    static func store(
        _ values: UnsafePointer<Double>, count: Int, scale: Double, instructions: Instructions,
        to numbers: UnsafeMutablePointer<Self>)

    /// Adds one number to a sum.
    static func add(_ number: Self, to sum: inout Self)

    /// Adds the contributions of consecutive leaves to the sums of a block of rows.
    static func add(
        _ leaves: Range<Int>, of paths: UnsafePointer<cfk_paths>, tables: UnsafePointer<Self>, starts: [UInt32],
        bins: UnsafePointer<UInt8>, to sums: UnsafeMutablePointer<Self>, stride: Int, instructions: Instructions)
}

extension Double: ContributionNumber {
    static func store(
        _ values: UnsafePointer<Double>, count: Int, scale: Double, instructions: Instructions,
        to numbers: UnsafeMutablePointer<Double>
    ) {
        numbers.update(from: values, count: count)
    }

    static func add(_ number: Double, to sum: inout Double) { sum += number }

    static func add(
        _ leaves: Range<Int>, of paths: UnsafePointer<cfk_paths>, tables: UnsafePointer<Double>, starts: [UInt32],
        bins: UnsafePointer<UInt8>, to sums: UnsafeMutablePointer<Double>, stride: Int, instructions: Instructions
    ) {
        cfk_add_double(
            instructions.code, paths, leaves.lowerBound, leaves.count, tables, starts, bins, sums, stride)
    }
}

extension Int32: ContributionNumber {
    static func store(
        _ values: UnsafePointer<Double>, count: Int, scale: Double, instructions: Instructions,
        to numbers: UnsafeMutablePointer<Int32>
    ) {
        cfk_round(instructions.code, values, count, scale, numbers)
    }

    static func add(_ number: Int32, to sum: inout Int32) { sum &+= number }

    static func add(
        _ leaves: Range<Int>, of paths: UnsafePointer<cfk_paths>, tables: UnsafePointer<Int32>, starts: [UInt32],
        bins: UnsafePointer<UInt8>, to sums: UnsafeMutablePointer<Int32>, stride: Int, instructions: Instructions
    ) {
        cfk_add_fixed(instructions.code, paths, leaves.lowerBound, leaves.count, tables, starts, bins, sums, stride)
    }
}
