import ArgumentParser
import EnsembleModel
import Foundation
import Ingest
import NIOCore
import RegistryAPI
import RegistryClient
import Simulation

/// A validation set to play on instead of generated rows: an ensemble's, or one in files.
struct OwnRowsOptions: ParsableArguments, Sendable {
    @Option(
        help: ArgumentHelp(
            "Rows, champion and policy of an ensemble; needs the scope audit. The plain average of its members stands "
                + "for the champion: nothing is fitted.", valueName: "name"))
    var ensemble: String?

    @Option(
        help: ArgumentHelp(
            "Labelled rows: CSV id,label[,group][,slice], .csv or .csv.gz, or - for standard input.", valueName: "file")
    )
    var labels: String?

    @Option(
        help: ArgumentHelp(
            "The champion's out-of-fold probabilities for them: .csv, .csv.gz, .npy or .npy.gz.", valueName: "file"))
    var predictions: String?

    @Option(
        help: ArgumentHelp("Class names, one a line, in the order of the columns of predictions.", valueName: "file"))
    var classes: String?

    @Option(
        help: ArgumentHelp(
            "True gains of the better challengers, in percent of the loss. (default: \(usualGains))",
            valueName: "percents"))
    var trueGains: String?

    private static let usualGains = "0.25,0.5,1,2"

    private static let maximumListBytes = 1 << 20

    mutating func validate() throws {
        let given = [labels, predictions, classes].count { $0 != nil }
        guard given == 0 || given == 3 else {
            throw ValidationError("Own rows need --labels, --predictions and --classes.")
        }
        guard given == 0 || ensemble == nil else {
            throw ValidationError("--ensemble brings its own; leave out --labels, --predictions and --classes.")
        }
        guard areGiven || trueGains == nil else {
            throw ValidationError("--true-gains is of own rows; generated rows have gains of their own.")
        }
        _ = try gains()
    }

    /// Whether there are any to play on.
    var areGiven: Bool { labels != nil || ensemble != nil }

    private func gains() throws -> [Double] {
        try (trueGains ?? Self.usualGains).split(separator: ",").map { text in
            guard let percent = Double(text.trimmingCharacters(in: .whitespaces)), percent.isFinite else {
                throw ValidationError("--true-gains: '\(text)' is not a number.")
            }
            return percent / 100
        }
    }

    /// Rows to play on.
    struct Table: Sendable {
        var rows: OwnRows
        /// The ensemble's; nil of rows in files.
        var policy: Policy?
        /// What people are told of where they come from.
        var origin: String?
    }

    /// Reads an ensemble's rows from the registry, or those in files; nil when none are given.
    func read(_ connection: ConnectionOptions) async throws -> Table? {
        guard let ensemble else { return try readFiles().map { Table(rows: $0) } }
        let configuration = try connection.configuration(environment: Console.current.environment)
        let found = try await RegistryClient.withClient(configuration: configuration) {
            try await $0.championRows(ensemble: ensemble)
        }
        let header = found.header
        return Table(
            rows: try OwnRows(
                found.validation, predictions: found.predictions, salt: header.salt, trueGains: gains()),
            policy: header.policy,
            origin: "On the \(header.rowCount) rows of \(ensemble)'s epoch \(header.epoch). The plain average of the "
                + "\(header.members.count) members of manifest \(header.sequence) stands for the champion; nothing was "
                + "fitted.")
    }

    /// Reads and checks the files as the registry does; nil when none is given.
    private func readFiles() throws -> OwnRows? {
        guard let labels, let predictions, let classes else { return nil }
        let names = TextFile.lines(try TextFile.read(classes, upTo: Self.maximumListBytes, what: "a list of classes"))
        let validation = try checked(labels) {
            let ingest = try LabelIngest(classes: names, gzip: labels.lowercased().hasSuffix(".gz"))
            try feed(labels, what: "--labels") { try ingest.consume($0) }
            return try ingest.finish()
        }
        let format = try PredictionsFormat.of(predictions, given: nil)
        let spooled = try checked(predictions) {
            let ingest = try PredictionIngest(
                format: format.isNumpy ? .npy : .csv, gzip: format.isGzipped, validation: ValidationIndex(validation),
                spoolDirectory: NSTemporaryDirectory())
            try feed(predictions, what: "--predictions") { try ingest.consume($0) }
            return try ingest.finish()
        }
        let values = try (0..<spooled.blockCount).flatMap { block in
            try spooled.block(block).withUnsafeBytes { bytes in
                bytes.bindMemory(to: UInt32.self).map { Float(bitPattern: UInt32(littleEndian: $0)) }
            }
        }
        return try OwnRows(
            validation, predictions: Predictions(values: values, classCount: spooled.classCount), trueGains: gains())
    }

    private func feed(_ path: String, what: String, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        var reader = FileReader(try LocalFile(path: path, what: what))
        while let chunk = try reader.next() { try chunk.withUnsafeReadableBytes(body) }
    }

    /// Says whose faults they are.
    private func checked<Value>(_ path: String, _ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch let error as IngestError {
            let faults = error.faults.map { fault in
                Problem.Fault(
                    code: fault.code.rawValue, message: fault.message, count: fault.count,
                    examples: fault.examples.map { .init(line: $0.line, id: $0.id) })
            }
            throw CommandError(
                error.code == .spool ? .failed : .refused,
                (["\(path): \(error.message)"] + ErrorText.lines(faults)).joined(separator: "\n"), cause: error)
        }
    }
}
