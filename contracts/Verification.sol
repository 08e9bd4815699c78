// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {ICarbonLedger} from "./interfaces/ICarbonLedger.sol";
import {ICompliance} from "./interfaces/ICompliance.sol";
import {IVerification} from "./interfaces/IVerification.sol";
import {Once} from "./libraries/Once.sol";
import {UnitId} from "./libraries/UnitId.sol";

/// @title Verification
/// @notice Accredited verifiers (核查机构) and what they signed: the only way to verified emissions and to offsets.
/// @dev Always: each entity and period has at most one accepted emission statement, each batch of a project at most one
///      issuance, and each accepted statement a verifier who was accredited and unconflicted when it was brought.
///      A statement's id is one among all statements, and apart from the ids of the offices: no verifier can use up the id of
///      his revocation by signing something under it.
contract Verification is IVerification, EIP712, AccessManaged, Once {
    bytes32 private constant EMISSION_TYPEHASH = keccak256(
        "EmissionStatement(bytes32 statementId,bytes32 reportId,address entity,uint16 period,bytes32 evidenceRoot,uint256 verifiedT,bytes32 documentHash,address verifier)"
    );
    bytes32 private constant REDUCTION_TYPEHASH = keccak256(
        "ReductionStatement(bytes32 statementId,uint32 projectId,uint16 vintage,uint32 batch,bytes32 evidenceRoot,uint256 baselineT,uint256 projectT,uint256 leakageT,bytes32 documentHash,address verifier)"
    );

    ICarbonLedger public immutable ledger;
    ICompliance public immutable compliance;

    /// @dev Last second of a verifier's accreditation; 0 for none.
    mapping(address verifier => uint64 until) private _accreditedUntil;
    mapping(address verifier => mapping(address entity => bool)) private _conflicts;
    /// @dev What a report says that a statement must repeat: hash of period and evidence root.
    mapping(address entity => mapping(bytes32 reportId => bytes32 facts)) private _reports;
    mapping(address entity => mapping(uint16 period => bytes32 reportId)) private _latestReport;
    mapping(address entity => mapping(uint16 period => bytes32 statementId)) private _verifiedBy;
    mapping(uint32 projectId => address developer) private _developers;

    constructor(address initialAuthority, ICarbonLedger ledger_, ICompliance compliance_)
        EIP712("CARAT", "1")
        AccessManaged(initialAuthority)
    {
        ledger = ledger_;
        compliance = compliance_;
    }

    /// @inheritdoc IVerification
    function accredit(address verifier, uint64 until, bytes32 requestId) external restricted {
        if (!_once(requestId, keccak256(abi.encode(this.accredit.selector, msg.sender, verifier, until)))) return;
        _accreditedUntil[verifier] = until;
        emit VerifierAccredited(verifier, until, requestId);
    }

    /// @inheritdoc IVerification
    function revoke(address verifier, bytes32 requestId) external restricted {
        if (!_once(requestId, keccak256(abi.encode(this.revoke.selector, msg.sender, verifier)))) return;
        delete _accreditedUntil[verifier];
        emit VerifierRevoked(verifier, requestId);
    }

    /// @inheritdoc IVerification
    /// @dev Law (Order 775) art. 13: who prepared an entity's report does not review it. A conflict stays.
    function declareConflict(address verifier, address entity, bytes32 requestId) external restricted {
        bytes32 digest = keccak256(abi.encode(this.declareConflict.selector, msg.sender, verifier, entity));
        if (!_once(requestId, digest)) return;
        _conflicts[verifier][entity] = true;
        emit ConflictDeclared(verifier, entity, requestId);
    }

    /// @inheritdoc IVerification
    /// @dev In order of precedence: retry, account, period, already verified.
    function fileReport(
        bytes32 reportId,
        uint16 period,
        bytes32 evidenceRoot,
        bytes32 documentHash,
        uint256 reportedT
    ) external {
        bytes32 facts = keccak256(abi.encode(period, evidenceRoot));
        if (!_onceBy(msg.sender, reportId, keccak256(abi.encode(facts, documentHash, reportedT)))) return;
        _requireFirm(msg.sender);
        if (!compliance.isPublished(period)) revert ICompliance.CompliancePeriodUnknown(period);
        _requireUnverified(msg.sender, period);
        _reports[msg.sender][reportId] = facts;
        _latestReport[msg.sender][period] = reportId;
        emit ReportFiled(reportId, msg.sender, period, evidenceRoot, documentHash, reportedT);
    }

    /// @inheritdoc IVerification
    function acceptEmissionStatements(EmissionStatement[] calldata statements, bytes[] calldata signatures) external {
        if (statements.length != signatures.length) {
            revert VerificationSignatureMissing(statements.length, signatures.length);
        }
        for (uint256 i = 0; i < statements.length; ++i) {
            _acceptEmissions(statements[i], signatures[i]);
        }
    }

    /// @inheritdoc IVerification
    function registerProject(uint32 projectId, address developer, bytes32 documentHash, bytes32 requestId)
        external
        restricted
    {
        bytes32 digest =
            keccak256(abi.encode(this.registerProject.selector, msg.sender, projectId, developer, documentHash));
        if (!_once(requestId, digest)) return;
        if (projectId == 0) revert VerificationProjectUnknown(projectId);
        if (_developers[projectId] != address(0)) {
            revert VerificationProjectExists(projectId, _developers[projectId]);
        }
        if (ledger.kindOf(developer) == ICarbonLedger.AccountKind.None) {
            revert ICarbonLedger.LedgerAccountUnknown(developer);
        }
        _developers[projectId] = developer;
        emit ProjectRegistered(projectId, developer, documentHash, requestId);
    }

    /// @inheritdoc IVerification
    /// @dev In order of precedence: retry, project, verifier, conflict with the developer, signature, reduction, batch.
    function acceptReductionStatement(ReductionStatement calldata statement, bytes calldata signature) external {
        bytes32 digest = keccak256(abi.encode(REDUCTION_TYPEHASH, statement));
        if (!_onceBy(address(this), statement.statementId, digest)) return;
        address developer = _developers[statement.projectId];
        if (developer == address(0)) revert VerificationProjectUnknown(statement.projectId);
        _requireSigned(statement.verifier, developer, digest, signature);
        uint256 issuedT = _reductionT(statement);
        uint256 unitId = UnitId.offset(statement.vintage, statement.projectId, statement.batch);
        (uint256 beforeT,,) = ledger.supplyOf(unitId);
        if (beforeT != 0) revert VerificationBatchIssued(unitId);
        _announce(statement, unitId, issuedT);
        ICarbonLedger.Issue[] memory issues = new ICarbonLedger.Issue[](1);
        issues[0] = ICarbonLedger.Issue(developer, issuedT);
        ledger.issue(unitId, issues, statement.statementId);
    }

    /// @inheritdoc IVerification
    function isAccredited(address verifier) external view returns (bool) {
        return _isAccredited(verifier);
    }

    /// @inheritdoc IVerification
    function isConflicted(address verifier, address entity) external view returns (bool) {
        return _isConflicted(verifier, entity);
    }

    /// @inheritdoc IVerification
    function latestReportOf(address entity, uint16 period) external view returns (bytes32 reportId) {
        return _latestReport[entity][period];
    }

    /// @inheritdoc IVerification
    function statementOf(address entity, uint16 period) external view returns (bytes32 statementId) {
        return _verifiedBy[entity][period];
    }

    /// @inheritdoc IVerification
    function developerOf(uint32 projectId) external view returns (address) {
        return _developers[projectId];
    }

    /// @dev In order of precedence: retry, report, match, latest, already verified, verifier, conflict, signature.
    function _acceptEmissions(EmissionStatement memory statement, bytes calldata signature) private {
        bytes32 digest = keccak256(abi.encode(EMISSION_TYPEHASH, statement));
        if (!_onceBy(address(this), statement.statementId, digest)) return;
        _requireReport(statement);
        _requireUnverified(statement.entity, statement.period);
        _requireSigned(statement.verifier, statement.entity, digest, signature);
        _verifiedBy[statement.entity][statement.period] = statement.statementId;
        emit EmissionsVerified(
            statement.statementId,
            statement.reportId,
            statement.entity,
            statement.period,
            statement.evidenceRoot,
            statement.verifiedT,
            statement.documentHash,
            statement.verifier
        );
        compliance.recordVerified(statement.entity, statement.period, statement.verifiedT);
    }

    /// @dev The statement must be about the entity's own, latest report for the period, with the same evidence.
    function _requireReport(EmissionStatement memory statement) private view {
        bytes32 facts = _reports[statement.entity][statement.reportId];
        if (facts == bytes32(0)) revert VerificationReportUnknown(statement.reportId);
        if (facts != keccak256(abi.encode(statement.period, statement.evidenceRoot))) {
            revert VerificationStatementMismatch(
                statement.reportId, statement.entity, statement.period, statement.evidenceRoot
            );
        }
        bytes32 latest = _latestReport[statement.entity][statement.period];
        if (latest != statement.reportId) revert VerificationReportSuperseded(statement.reportId, latest);
    }

    function _requireUnverified(address entity, uint16 period) private view {
        bytes32 statementId = _verifiedBy[entity][period];
        if (statementId != bytes32(0)) revert VerificationAlreadyVerified(entity, period, statementId);
    }

    /// @dev A key signs by ECDSA, a contract account by ERC-1271.
    function _requireSigned(address verifier, address about, bytes32 structHash, bytes calldata signature)
        private
        view
    {
        if (!_isAccredited(verifier)) revert VerificationVerifierUnaccredited(verifier);
        if (_isConflicted(verifier, about)) revert VerificationVerifierConflicted(verifier, about);
        bytes32 digest = _hashTypedDataV4(structHash);
        if (SignatureChecker.isValidSignatureNowCalldata(verifier, digest, signature)) return;
        (address recovered,,) = ECDSA.tryRecoverCalldata(digest, signature);
        revert VerificationSignatureInvalid(verifier, recovered);
    }

    function _isAccredited(address verifier) private view returns (bool) {
        return block.timestamp <= _accreditedUntil[verifier];
    }

    /// @dev Nobody verifies itself: a firm or developer may hold an accreditation too.
    function _isConflicted(address verifier, address entity) private view returns (bool) {
        return verifier == entity || _conflicts[verifier][entity];
    }

    function _requireFirm(address account) private view {
        ICarbonLedger.AccountKind kind = ledger.kindOf(account);
        if (kind == ICarbonLedger.AccountKind.Firm) return;
        if (kind == ICarbonLedger.AccountKind.None) revert ICarbonLedger.LedgerAccountUnknown(account);
        revert VerificationNotAFirm(account, kind);
    }

    /// @dev Apart because of the stack.
    function _announce(ReductionStatement calldata statement, uint256 unitId, uint256 issuedT) private {
        emit ReductionsVerified(
            statement.statementId,
            statement.projectId,
            statement.vintage,
            statement.batch,
            statement.evidenceRoot,
            statement.baselineT,
            statement.projectT,
            statement.leakageT,
            statement.documentHash,
            statement.verifier,
            unitId,
            issuedT
        );
    }

    /// @dev BE - PE - LE, above zero.
    function _reductionT(ReductionStatement calldata statement) private pure returns (uint256) {
        (uint256 baselineT, uint256 projectT, uint256 leakageT) =
            (statement.baselineT, statement.projectT, statement.leakageT);
        if (projectT >= baselineT || leakageT >= baselineT - projectT) {
            revert VerificationNoReduction(baselineT, projectT, leakageT);
        }
        return baselineT - projectT - leakageT;
    }
}
