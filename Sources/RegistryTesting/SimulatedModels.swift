public import EnsembleModel

/// A small classification task with models of chosen skill; the same numbers every time.
public struct SimulatedTask: Sendable {
    /// The labelled rows.
    public let validation: ValidationSet

    /// Draws labels for rows `r0000`, `r0001`, ... in groups of five.
    public init(rowCount: Int, classes: [String] = ["cat", "dog", "owl"], seed: UInt64 = 1) throws {
        var random = SplitMix(seed: seed)
        let rows = (0..<rowCount).map { row in
            ValidationSet.Row(
                id: "r" + Self.padded(row), label: Int(random.next() % UInt64(classes.count)),
                group: "g" + Self.padded(row / 5))
        }
        validation = try ValidationSet(classes: classes, rows: rows)
    }

    /// Predictions of a model: noise plus `skill` on the true class, made probabilities. Skill 0 is pure noise.
    public func predictions(skill: Double, seed: UInt64) throws -> Predictions {
        var random = SplitMix(seed: seed)
        var values: [Float] = []
        for label in validation.labels {
            var weights = (0..<validation.classCount).map { _ in 0.05 + random.unit() }
            weights[label] += skill * random.unit()
            let total = weights.reduce(0, +)
            values += weights.map { Float($0 / total) }
        }
        return try Predictions(values: values, classCount: validation.classCount)
    }

    /// The labels as the CSV that creates an ensemble.
    public var labelsCSV: String {
        validation.rowIDs.indices.reduce(into: "id,label,group\n") { text, row in
            text += "\(validation.rowIDs[row]),\(validation.classes[validation.labels[row]]),"
            text += "\(validation.groupNames[validation.groups[row]])\n"
        }
    }

    /// Predictions as CSV.
    public func csv(_ predictions: Predictions) -> String {
        validation.rowIDs.indices.reduce(into: "id,\(validation.classes.joined(separator: ","))\n") { text, row in
            let values = (0..<predictions.classCount).map { "\(predictions[row: row, class: $0])" }
            text += "\(validation.rowIDs[row]),\(values.joined(separator: ","))\n"
        }
    }

    private static func padded(_ number: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): a generator whose numbers are the same on every machine.
public struct SplitMix: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// Begins a sequence.
    public init(seed: UInt64) {
        state = seed
    }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A number in [0, 1).
    public mutating func unit() -> Double {
        Double(next() >> 11) * 0x1p-53
    }
}
