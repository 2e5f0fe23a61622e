import ArgumentParser
import EnsembleModel
import RegistryAPI
import RegistryClient
import Yams

/// Creates an ensemble from labelled rows.
struct CreateEnsembleCommand: RegistryRequest {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Make one from labelled rows; harmless when it exists with the same content.")

    @Argument(help: "Name: letters, digits, '.', '_' and '-'.") var name: String

    @Option(
        help: ArgumentHelp(
            "Labelled rows: CSV id,label[,group][,slice], .csv or .csv.gz, or - for standard input.", valueName: "file")
    )
    var labels: String

    @Option(
        help: ArgumentHelp("Class names, one a line, in the order of the columns of predictions.", valueName: "file"))
    var classes: String?

    @Option(
        name: .customLong("class"), parsing: .singleValue,
        help: ArgumentHelp("A class name, in order; repeated.", valueName: "name"))
    var classNames: [String] = []

    @Option(help: ArgumentHelp("Policy, YAML or JSON: see `registry ensembles policy`.", valueName: "file"))
    var policy: String?

    @Option(help: ArgumentHelp("What the task is, for people.", valueName: "text"))
    var description: String = ""

    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    private static let maximumListBytes = 1 << 20

    mutating func validate() throws {
        guard (classes == nil) != classNames.isEmpty else {
            throw ValidationError("Give the classes either with --classes FILE or with --class NAME for each.")
        }
    }

    /// The classes, from whichever option gives them.
    private func readClasses() throws -> [String] {
        let names =
            try classes.map { path in
                TextFile.lines(try TextFile.read(path, upTo: Self.maximumListBytes, what: "a list of classes"))
            } ?? classNames
        guard (2...64).contains(names.count), Set(names).count == names.count else {
            let given = classes.map { "--classes \($0)" } ?? "--class"
            let repeated = names.count - Set(names).count
            throw CommandError(
                .usage,
                "\(given) gives \(names.count) \(names.count == 1 ? "class" : "classes")"
                    + (repeated > 0 ? ", \(repeated) of them repeated" : "")
                    + ": an ensemble has 2 to 64 different ones"
                    + (classes == nil ? "" : ", in the file one a line"))
        }
        return names
    }

    func run(_ client: RegistryClient, _ output: Output) async throws {
        let names = try readClasses()
        let policy = try policy.map(PolicyFile.read)
        let file = try LocalFile(path: labels, what: "--labels")
        let table = TableFile(file, contentType: "text/csv", isGzipped: labels.lowercased().hasSuffix(".gz"))
        let progress = ProgressLine(output.console)
        defer { progress.clear() }
        let (upload, length, _) = try table.upload(progress)
        let (ensemble, isNew) = try await client.createEnsemble(
            name, classes: names, description: description, policy: policy, labels: upload,
            progress: { progress.bytes("uploading", $0, of: length) })
        progress.clear()
        output.note(isNew ? "Created." : "It exists already, with the same content.")
        try output.emit(ensemble, text: EnsembleText.full)
    }
}

/// A policy in a file.
enum PolicyFile {
    private static let maximumBytes = 64 << 10

    static func read(_ path: String) throws -> Policy {
        try parse(TextFile.read(path, upTo: maximumBytes, what: "a policy"), name: path)
    }

    /// Reads YAML, of which JSON is a part; unknown switches are refused.
    static func parse(_ text: String, name: String) throws -> Policy {
        do {
            return try YAMLDecoder().decode(Policy.self, from: text)
        } catch let error as EnsembleModelError {
            throw CommandError(.usage, "\(name): \(error.message)", cause: error)
        } catch let error as YamlError {
            throw CommandError(.usage, "\(name): it is neither YAML nor JSON: \(error)", cause: error)
        } catch let error as DecodingError {
            throw CommandError(.usage, "\(name): \(explanation(error))", cause: error)
        }
    }

    private static func explanation(_ error: DecodingError) -> String {
        switch error {
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            if let error = context.underlyingError as? EnsembleModelError { return error.message }
            if let error = context.underlyingError as? YamlError { return "it is neither YAML nor JSON: \(error)" }
            let switchName = context.codingPath.map(\.stringValue).joined(separator: ".")
            guard !switchName.isEmpty else { return "a policy is made of switches, such as 'admission: gated'" }
            return "\(switchName) has a value that does not fit: \(context.debugDescription)"
        case .keyNotFound(let key, _): return "\(key.stringValue) is missing"
        @unknown default: return "the policy cannot be read"
        }
    }
}
