/// A few rows with the raw scores that the combiner must give them, bit for bit: what a node checks itself against
/// before it serves.
///
/// Written as IEEE-754 bits in lowercase hexadecimal, since canonical JSON has no fractions.
public struct GoldenRows: Hashable, Sendable, Codable {
    /// Rows of member probabilities (members x K), 8 digits a float32.
    public var inputs: [[String]]
    /// A number for each row, the same for rows of the same group, counted from 0; nil where the combiner does not see
    /// groups.
    public var groups: [Int]?
    /// Rows of raw scores (K), 16 digits a float64.
    public var rawScores: [[String]]

    /// Writes rows down.
    ///
    /// - Parameters:
    ///   - inputs: rows of member probabilities, members x K each.
    ///   - groups: the number of each row's group; the scores are in the context of just these rows.
    ///   - rawScores: rows of K raw scores.
    public init(inputs: [[Float]], groups: [Int]? = nil, rawScores: [[Double]]) {
        self.groups = groups
        self.inputs = inputs.map { $0.map { Self.hexadecimal($0.bitPattern) } }
        self.rawScores = rawScores.map { $0.map { Self.hexadecimal($0.bitPattern) } }
    }

    /// The inputs as numbers; nil when a text is not the bits of one.
    public var inputValues: [[Float]]? {
        Self.values(inputs, digits: 8) { UInt32($0, radix: 16).map(Float.init(bitPattern:)) }
    }

    /// The raw scores as numbers; nil when a text is not the bits of one.
    public var rawScoreValues: [[Double]]? {
        Self.values(rawScores, digits: 16) { UInt64($0, radix: 16).map(Double.init(bitPattern:)) }
    }

    private static func hexadecimal<Bits: FixedWidthInteger>(_ bits: Bits) -> String {
        let digits = String(bits, radix: 16)
        return String(repeating: "0", count: Bits.bitWidth / 4 - digits.count) + digits
    }

    private static func values<Number>(_ rows: [[String]], digits: Int, parse: (String) -> Number?) -> [[Number]]? {
        let parsed = rows.map { row in row.compactMap { $0.utf8.count == digits ? parse($0) : nil } }
        return zip(parsed, rows).allSatisfy { $0.count == $1.count } ? parsed : nil
    }

    enum CodingKeys: String, CodingKey {
        case inputs, groups
        case rawScores = "raw_scores"
    }
}
