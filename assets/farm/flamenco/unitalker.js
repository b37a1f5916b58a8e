// SPDX-License-Identifier: GPL-3.0-or-later
//
// Job type for Flamenco 3: one task for each job of a list of `--command unitalker batch` (docs/batch.md).
// Copy this file into the folder `scripts` beside flamenco-manager, and refresh the job types in Blender.
// The list, and every file that it names, has to be where all workers find it. The extension has to be installed and
// enabled in the Blender of every worker; a task that is run again skips what is done.

const JOB_TYPE = {
    label: "UniTalker",
    description: "Make faces speak: one task for each job of a list",
    settings: [
        {
            key: "jobs_file",
            label: "List of Jobs",
            type: "string",
            subtype: "file_path",
            required: true,
            visible: "submission",
            description: "JSON list of jobs, where all workers find it",
        },
        // Blender reads the list when the job is submitted, because job scripts cannot read files.
        {
            key: "jobs_path",
            type: "string",
            editable: false,
            visible: "web",
            eval: "str(abspath(settings.jobs_file))",
            description: "The list of jobs, as workers are told it",
        },
        {
            key: "jobs_text",
            type: "string",
            editable: false,
            visible: "hidden",
            eval: "Path(abspath(settings.jobs_file)).read_text(encoding='utf-8')",
            description: "What the list said when the job was submitted",
        },
        {
            key: "blendfile",
            type: "string",
            required: true,
            visible: "web",
            description: "The file for jobs that name none",
        },
    ],
};

function compileJob(job) {
    const settings = job.settings;
    for (const name of jobNames(settings.jobs_text)) {
        const task = author.Task(name, "blender");
        task.addCommand(author.Command("blender-render", {
            exe: "{blender}",
            exeArgs: "{blenderArgs}",
            argsBefore: [],
            blendfile: settings.blendfile,
            args: ["--command", "unitalker", "batch", settings.jobs_path, "--only=" + name],
        }));
        job.addTask(task);
    }
    // The tasks say it all, and the text would fill the page of the job.
    delete settings.jobs_text;
}

// A job without a name is called as its first output, without folder and suffix.
function jobNames(text) {
    const jobs = JSON.parse(text).jobs;
    const names = jobs.map((item) => item.name || item.outputs[0].replace(/^.*[\\/]/, "").replace(/(.)\.[^.]*$/, "$1"));
    const twice = names.find((name, place) => names.indexOf(name) !== place);
    if (twice !== undefined) {
        throw new Error("two jobs of the list are called " + twice);
    }
    return names;
}
