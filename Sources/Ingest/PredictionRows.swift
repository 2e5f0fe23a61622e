/// Checks the probability rows of one upload, whatever they are written in, and spools the good ones.
struct PredictionRows {
    let validation: ValidationIndex
    let limits: IngestLimits
    var faults = FaultLog()
    private var spool: PredictionSpool
    /// One bit a row: whether the upload has it.
    private var seen: [UInt64]
    private var values: [Float]
    private(set) var count = 0

    init(validation: ValidationIndex, limits: IngestLimits, spoolDirectory: String) throws(IngestStop) {
        self.validation = validation
        self.limits = limits
        let layout = SpoolLayout(rowCount: validation.rowCount, classCount: validation.classes.count)
        spool = try PredictionSpool(layout: layout, directory: spoolDirectory)
        seen = Array(repeating: 0, count: (validation.rowCount + 63) / 64)
        values = Array(repeating: 0, count: validation.classes.count)
    }

    /// Counts a row of data.
    mutating func begin() throws(IngestStop) {
        count += 1
        guard count <= limits.maximumRows else {
            throw .fault(.tooManyRows, "the upload has more than \(limits.maximumRows) rows; send each row once")
        }
    }

    /// Marks a row as given; false when it was given before.
    mutating func mark(_ row: Int) -> Bool {
        let bit: UInt64 = 1 << UInt64(row & 63)
        defer { seen[row >> 6] |= bit }
        return seen[row >> 6] & bit == 0
    }

    /// Checks K probabilities and, unless something was wrong in the upload, spools them.
    ///
    /// - Parameter row: nil where the row's values are only checked.
    mutating func accept(
        _ probabilities: [Double], row: Int?, line: Int?, id: UnsafeRawBufferPointer
    ) throws(IngestStop) {
        var sum = 0.0
        var lowest = 0.0
        for (column, value) in probabilities.enumerated() {
            sum += value
            lowest = min(lowest, value)
            values[column] = Float(value)
        }
        if !sum.isFinite {
            faults.add(.notFinite, line: line, id: id, "probabilities must be finite; leave a row without one out")
        }
        if lowest < 0 {
            faults.add(.negative, line: line, id: id, "probabilities must not be negative; send no scores")
        }
        if sum.isFinite, lowest >= 0, abs(sum - 1) > Self.sumTolerance {
            faults.add(.sum, line: line, id: id, "a row's probabilities must sum to 1 within 0.001; normalise them")
        }
        guard let row, faults.isEmpty else { return }
        try spool.append(row: row, values)
    }

    /// 1e-3, and what binary fractions add to it: .333 + .333 + .333 is within.
    private static let sumTolerance = 1e-3 + 1e-9

    /// Checks the coverage of the whole and of each slice.
    mutating func finish() throws(IngestStop) {
        guard count > 0 else {
            throw .fault(.noRows, "the upload has no rows; send one row for each row of the validation set")
        }
        let total = validation.rowCount
        var missing = Array(repeating: 0, count: validation.sliceNames.count)
        var sizes = missing
        for row in 0..<total {
            let slice = Int(validation.slices[row])
            sizes[slice] += 1
            if !has(row) { missing[slice] += 1 }
        }
        let absent = missing.reduce(0, +)
        if (total - absent) * 100 < limits.minimumCoveragePercent * total {
            let message =
                "\(total - absent) of \(total) rows of the validation set have a prediction: "
                + "\(limits.minimumCoveragePercent) % must have one"
            let examples = missingExamples(in: Set(sizes.indices))
            faults.add(IngestFault(.coverage, message, count: absent, examples: examples))
        }
        let percent = limits.minimumSliceCoveragePercent
        let low = sizes.indices.filter { (sizes[$0] - missing[$0]) * 100 < percent * sizes[$0] }
        if !low.isEmpty {
            let names = low.map { "\(validation.sliceNames[$0]) (\(sizes[$0] - missing[$0]) of \(sizes[$0]))" }
            let message =
                "\(percent) % of each slice's rows must have a prediction; "
                + "too few have one in \(listed(names, atMost: 3))"
            let count = low.reduce(0) { $0 + missing[$1] }
            faults.add(IngestFault(.sliceCoverage, message, count: count, examples: missingExamples(in: Set(low))))
        }
    }

    /// The file of the rows, which must be without fault.
    mutating func spooled() throws(IngestStop) -> SpooledPredictions {
        try spool.finish()
        return try SpooledPredictions(spool)
    }

    private func has(_ row: Int) -> Bool { seen[row >> 6] >> UInt64(row & 63) & 1 == 1 }

    private func missingExamples(in slices: Set<Int>) -> [IngestFault.Example] {
        (0..<validation.rowCount).lazy
            .filter { !has($0) && slices.contains(Int(validation.slices[$0])) }
            .prefix(IngestFault.maximumExamples)
            .map { IngestFault.Example(line: nil, id: validation.readableID(ofRow: $0)) }
    }
}
