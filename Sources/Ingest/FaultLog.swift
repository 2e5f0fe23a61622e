/// What ends the check of an upload before its end: nothing after it could be understood, or this machine failed.
enum IngestStop: Error {
    case faults([IngestFault])
    case spool(String)

    /// One fault of the whole upload.
    static func fault(_ code: IngestFault.Code, _ message: String) -> Self {
        .faults([IngestFault(code, message)])
    }
}

/// Collects the faults of one upload by kind: counts all of them, keeps the first examples.
struct FaultLog {
    private var faults: [IngestFault.Code: IngestFault] = [:]

    var isEmpty: Bool { faults.isEmpty }

    /// The faults in the order of their codes.
    var all: [IngestFault] { IngestFault.Code.allCases.compactMap { faults[$0] } }

    /// Records a row's fault; the message is made once for each kind.
    mutating func add(
        _ code: IngestFault.Code, line: Int?, id: UnsafeRawBufferPointer?, _ message: @autoclosure () -> String
    ) {
        var fault = faults[code] ?? IngestFault(code, message(), count: 0)
        faults[code] = nil  // so that the examples are not copied
        fault.count += 1
        if fault.examples.count < IngestFault.maximumExamples {
            fault.examples.append(IngestFault.Example(line: line, id: id.map(Self.readable)))
        }
        faults[code] = fault
    }

    /// Records a fault that is not one row's.
    mutating func add(_ fault: IngestFault) {
        faults[fault.code] = fault
    }

    /// The error that refuses the upload for the faults found.
    func error(_ code: IngestError.Code = .refused) -> IngestError {
        let found = all
        let messages = found.map(\.message).joined(separator: "; ")
        return IngestError(code, "the upload was refused: \(messages)", faults: found)
    }

    /// The error of an upload whose check ended early: what ended it, and what was found before.
    func error(endedBy stop: IngestStop) -> IngestError {
        switch stop {
        case .spool(let message):
            return IngestError(.spool, message)
        case .faults(let ending):
            let sizes: Set<IngestFault.Code> = [.tooLarge, .tooManyRows, .compressionRatio]
            var log = self
            for fault in ending { log.add(fault) }
            return log.error(ending.contains { sizes.contains($0.code) } ? .tooLarge : .refused)
        }
    }

    /// An id as people can read it: lossy UTF-8, control characters replaced, at most 100 characters.
    static func readable(_ bytes: UnsafeRawBufferPointer) -> String {
        let text = String(decoding: bytes.prefix(400), as: UTF8.self).prefix(100)
        let scalars = text.unicodeScalars.map { $0.properties.generalCategory == .control ? "\u{FFFD}" : $0 }
        return String(String.UnicodeScalarView(scalars))
    }
}

/// Some names for a message: quoted, at most `limit` of them, each at most 60 characters.
func listed(_ names: some Collection<String>, atMost limit: Int = 20) -> String {
    let shown = names.prefix(limit).map { "'\($0.prefix(60))'" }.joined(separator: ", ")
    return names.count > limit ? "\(shown) and \(names.count - limit) more" : shown
}
