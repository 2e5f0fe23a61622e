public import Foundation

/// Independent implementations in Python, by which ours are judged; `deploy/setup --python` installs them.
public enum PythonPeer {
    /// What a script said before it failed.
    public struct Failure: Error, CustomStringConvertible {
        /// Its standard error.
        public let description: String
    }

    /// Runs a script to its end and returns its standard output.
    ///
    /// - Throws: ``Failure`` when it fails.
    @discardableResult
    public static func run(_ script: URL, _ arguments: [String]) async throws -> Data {
        guard FileManager.default.isExecutableFile(atPath: interpreter) else {
            throw Failure(description: "there is no \(interpreter): run 'deploy/setup --python'")
        }
        let result = try await Programs.run(interpreter, [script.path] + arguments)
        guard result.status == 0 else { throw Failure(description: result.errors) }
        return Data(result.output.utf8)
    }

    /// Has python-tuf write a registry and every attack on it, one folder a state; see the script.
    ///
    /// - Parameter releases: folders with the `manifest.json` and `combiner.txt` to sign; made up when there are none.
    public static func writeStates(to folder: URL, of ensemble: String = "esci-us", releases: [URL] = []) async throws {
        let signed = releases.isEmpty ? [] : [ensemble] + releases.map(\.path)
        try await run(tuf, ["write", folder.path] + signed)
    }

    /// The script that has python-tuf sign and follow.
    public static let tuf = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Python/tuf_peer.py")

    /// The interpreter that `deploy/setup --python` makes, or the one that `REGISTRY_PYTHON` names.
    private static var interpreter: String {
        let environment = ProcessInfo.processInfo.environment
        if let named = environment["REGISTRY_PYTHON"] { return named }
        let cache = environment["XDG_CACHE_HOME"] ?? NSHomeDirectory() + "/.cache"
        return cache + "/ensemble-registry/python/bin/python3"
    }
}
