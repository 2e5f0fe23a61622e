import ArgumentParser
import EnsembleModel
import RegistryAPI
import RegistryClient
import Trust

/// What `registry` ends with; scripts branch on it.
enum ExitStatus: Int32, CaseIterable, Sendable {
    case done = 0
    case failed = 1
    case usage = 2
    /// The registry refused what was sent.
    case refused = 3
    /// The verdict is a rejection.
    case rejected = 4
    /// The verdict is held, or waits for approval.
    case held = 5
    case unauthorised = 6
    case unreachable = 7
}

/// A command that did not succeed: what happened and what to do.
struct CommandError: Error, CustomStringConvertible {
    let code: ExitStatus
    let message: String
    let cause: (any Error)?

    init(_ code: ExitStatus, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    var description: String { message }
}

extension ExitStatus {
    /// The status that an error thrown by a command ends the program with.
    init(_ error: any Error) {
        switch error {
        case let error as CommandError: self = error.code
        case let error as RegistryClientError: self.init(error)
        case is EnsembleModelError: self = .usage
        case let error as TrustError: self.init(error)
        default: self = .failed
        }
    }

    private init(_ error: RegistryClientError) {
        // What could not be read may be a file of this command's, with a status of its own.
        if case .invalidBody = error.code, let cause = error.cause as? CommandError {
            self = cause.code
            return
        }
        self =
            switch error.code {
            case .problem(let problem): ExitStatus(problem)
            case .unreachable, .timeout: .unreachable
            case .invalidRequest: .usage
            case .protocolViolation, .digestMismatch, .invalidBody: .failed
            }
    }

    private init(_ error: TrustError) {
        self =
            switch error.code {
            case .invalidChange, .missingKey, .equivocation: .refused
            case .wrongPassphrase: .unauthorised
            default: .failed
            }
    }

    private init(_ problem: Problem) {
        switch problem.status {
        case 401, 403: self = .unauthorised
        case 400, 409, 411, 413, 415, 422: self = .refused
        case 503: self = .unreachable
        default: self = .failed
        }
    }

    /// The status of a verdict that was waited for.
    init(_ verdict: Verdict) {
        if verdict.isAdmission {
            self = .done
        } else if verdict.isHold {
            self = .held
        } else {
            self = .rejected
        }
    }

    /// Ends the command with this status, without a message.
    func end() throws {
        if self != .done { throw ExitCode(rawValue) }
    }
}
